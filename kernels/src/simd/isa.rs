//! Instruction sets for 32-bit floats.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable::Portable;
use super::{Dispatch, Element, Simd, SimdTask};

impl Element for f32 {
    type Isa = Isa;

    const IS_SINGLE: bool = true;

    fn nearest(x: f32) -> Self {
        x
    }
}

/// An instruction set: the vector instructions that kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Isa(IsaKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum IsaKind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Isa {
    /// The one that every processor supports: plain arrays.
    pub const PORTABLE: Self = Self(IsaKind::Portable);

    /// Returns this processor's fastest instruction set.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self::PORTABLE)
    }

    /// Returns every instruction set that this processor supports, the fastest last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut isas = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            isas.extend(Avx2::detect().map(|simd| Self(IsaKind::Avx2(simd))));
            isas.extend(Avx512::detect().map(|simd| Self(IsaKind::Avx512(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        isas.extend(Neon::detect().map(|simd| Self(IsaKind::Neon(simd))));
        isas
    }

    /// Returns `portable`, `avx2`, `avx512` or `neon`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            IsaKind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            IsaKind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            IsaKind::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            IsaKind::Neon(_) => "neon",
        }
    }
}

impl Dispatch<f32> for Isa {
    fn run<T: SimdTask>(self, task: T) -> T::Output {
        match self.0 {
            IsaKind::Portable => Portable.run(task),
            #[cfg(target_arch = "x86_64")]
            IsaKind::Avx2(simd) => simd.run(task),
            #[cfg(target_arch = "x86_64")]
            IsaKind::Avx512(simd) => simd.run(task),
            #[cfg(target_arch = "aarch64")]
            IsaKind::Neon(simd) => simd.run(task),
        }
    }
}
