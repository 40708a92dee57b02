//! Paths for 16-bit floats.

use half::f16;

#[cfg(any(target_arch = "aarch64", feature = "half-emulation"))]
use super::Simd;
#[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
use super::avx2::Avx2;
#[cfg(feature = "half-emulation")]
use super::emulated::Rounded;
#[cfg(target_arch = "aarch64")]
use super::neon_half::NeonHalf;
#[cfg(feature = "half-emulation")]
use super::portable::Portable;
use super::{Element, Path, Task, Vectors};

impl Element for f16 {
    type Path = HalfPath;

    const IS_SINGLE: bool = false;

    fn nearest(x: f32) -> Self {
        Self::from_f32(x)
    }
}

/// The vector instructions for computing with 16-bit floats (IEEE 754 binary16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HalfPath(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    #[cfg(feature = "half-emulation")]
    Portable(Rounded<Portable>),
    #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
    Avx2(Rounded<Avx2>),
    #[cfg(target_arch = "aarch64")]
    Neon(NeonHalf),
}

impl HalfPath {
    /// Returns the counterpart of a path for 32-bit floats; `None` if those instructions don't support 16-bit floats and this build
    /// can't emulate them (feature `half-emulation`).
    #[must_use]
    pub fn beside(single: Path) -> Option<Self> {
        let all = Self::all();
        let named = all.iter().find(|path| path.name() == single.name()).copied();
        // If a path has no counterpart, the fastest of the others emulates it.
        named.or_else(|| all.last().copied().filter(|path| !path.is_native()))
    }

    /// Returns every path that this processor supports, the fastest last. Builds with the feature `half-emulation` include emulated
    /// ones.
    #[must_use]
    pub fn all() -> Vec<Self> {
        #[allow(unused_mut, reason = "processors without any path, in builds without emulation")]
        let mut paths = vec![];
        #[cfg(feature = "half-emulation")]
        paths.push(Self(Kind::Portable(Rounded(Portable))));
        #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
        paths.extend(Avx2::detect().map(|simd| Self(Kind::Avx2(Rounded(simd)))));
        #[cfg(target_arch = "aarch64")]
        paths.extend(NeonHalf::detect().map(|simd| Self(Kind::Neon(simd))));
        paths
    }

    /// Returns whether the processor computes with 16-bit floats itself. Otherwise each value is computed with more bits and then
    /// rounded, with the same results but far slower than 32-bit floats.
    #[must_use]
    pub const fn is_native(self) -> bool {
        match self.0 {
            #[cfg(feature = "half-emulation")]
            Kind::Portable(_) => false,
            #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
            Kind::Avx2(_) => false,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => true,
        }
    }

    /// Returns `portable`, `avx2` or `neon`, like the corresponding 32-bit path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            #[cfg(feature = "half-emulation")]
            Kind::Portable(_) => "portable",
            #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }
}

impl Vectors<f16> for HalfPath {
    #[allow(unused_variables, reason = "processors without any path, in builds without emulation")]
    fn run<T: Task<f16>>(self, task: T) -> T::Output {
        match self.0 {
            #[cfg(feature = "half-emulation")]
            Kind::Portable(simd) => simd.run(task),
            #[cfg(all(target_arch = "x86_64", feature = "half-emulation"))]
            Kind::Avx2(simd) => simd.run(task),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(simd) => simd.run(task),
        }
    }
}
