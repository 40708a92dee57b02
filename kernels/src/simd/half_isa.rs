//! Instruction sets for 16-bit floats.

use half::f16;

#[cfg(any(target_arch = "aarch64", feature = "half-emulation"))]
use super::Simd;
#[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
use super::avx2::Avx2;
#[cfg(feature = "half-emulation")]
use super::emulation::EmulatedHalf;
#[cfg(target_arch = "aarch64")]
use super::neon_half::NeonHalf;
#[cfg(feature = "half-emulation")]
use super::portable::Portable;
use super::{Dispatch, Element, Isa, SimdTask};

impl Element for f16 {
    type Isa = HalfIsa;

    const IS_SINGLE: bool = false;

    fn nearest(x: f32) -> Self {
        Self::from_f32(x)
    }
}

/// The vector instructions for computing with 16-bit floats (IEEE 754 binary16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HalfIsa(HalfIsaKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum HalfIsaKind {
    #[cfg(feature = "half-emulation")]
    Portable(EmulatedHalf<Portable>),
    #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
    Avx2(EmulatedHalf<Avx2>),
    #[cfg(target_arch = "aarch64")]
    Neon(NeonHalf),
}

impl HalfIsa {
    /// Returns the counterpart of an instruction set for 32-bit floats; `None` if those instructions don't support 16-bit floats
    /// and this build can't emulate them (feature `half-emulation`).
    #[must_use]
    pub fn counterpart_of(single: Isa) -> Option<Self> {
        let all = Self::all();
        let named = all.iter().find(|isa| isa.name() == single.name()).copied();
        // If it has no counterpart, the fastest of the others emulates it.
        named.or_else(|| all.last().copied().filter(|isa| !isa.is_native()))
    }

    /// Returns every instruction set that this processor supports, the fastest last. Builds with the feature `half-emulation`
    /// include emulated ones.
    #[must_use]
    pub fn all() -> Vec<Self> {
        #[allow(unused_mut, reason = "processors without any instruction set, in builds without emulation")]
        let mut isas = vec![];
        #[cfg(feature = "half-emulation")]
        isas.push(Self(HalfIsaKind::Portable(EmulatedHalf(Portable))));
        #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
        isas.extend(Avx2::detect().map(|simd| Self(HalfIsaKind::Avx2(EmulatedHalf(simd)))));
        #[cfg(target_arch = "aarch64")]
        isas.extend(NeonHalf::detect().map(|simd| Self(HalfIsaKind::Neon(simd))));
        isas
    }

    /// Returns whether the processor computes with 16-bit floats itself. Otherwise each value is computed with more bits and then
    /// rounded, with the same results but far slower than 32-bit floats.
    #[must_use]
    pub const fn is_native(self) -> bool {
        match self.0 {
            #[cfg(feature = "half-emulation")]
            HalfIsaKind::Portable(_) => false,
            #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
            HalfIsaKind::Avx2(_) => false,
            #[cfg(target_arch = "aarch64")]
            HalfIsaKind::Neon(_) => true,
        }
    }

    /// Returns `portable`, `avx2` or `neon`, like the corresponding one for 32-bit floats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            #[cfg(feature = "half-emulation")]
            HalfIsaKind::Portable(_) => "portable",
            #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
            HalfIsaKind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            HalfIsaKind::Neon(_) => "neon",
        }
    }
}

impl Dispatch<f16> for HalfIsa {
    #[allow(unused_variables, reason = "processors without any instruction set, in builds without emulation")]
    fn run<T: SimdTask<f16>>(self, task: T) -> T::Output {
        match self.0 {
            #[cfg(feature = "half-emulation")]
            HalfIsaKind::Portable(simd) => simd.run(task),
            #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
            HalfIsaKind::Avx2(simd) => simd.run(task),
            #[cfg(target_arch = "aarch64")]
            HalfIsaKind::Neon(simd) => simd.run(task),
        }
    }
}
