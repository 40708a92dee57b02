//! Paths for 32-bit floats.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::portable::Portable;
use super::{Element, Simd, Task, Vectors};

impl Element for f32 {
    type Path = Path;

    const IS_SINGLE: bool = true;

    fn nearest(x: f32) -> Self {
        x
    }
}

/// The vector instructions that kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Path {
    /// The path that every processor supports.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// Returns this processor's fastest path.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self::PORTABLE)
    }

    /// Returns every path that this processor supports, the fastest last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut paths = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            paths.extend(Avx2::detect().map(|simd| Self(Kind::Avx2(simd))));
            paths.extend(Avx512::detect().map(|simd| Self(Kind::Avx512(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        paths.extend(Neon::detect().map(|simd| Self(Kind::Neon(simd))));
        paths
    }

    /// Returns `portable`, `avx2`, `avx512` or `neon`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }
}

impl Vectors<f32> for Path {
    fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            Kind::Portable => Portable.run(task),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(simd) => simd.run(task),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(simd) => simd.run(task),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(simd) => simd.run(task),
        }
    }
}
