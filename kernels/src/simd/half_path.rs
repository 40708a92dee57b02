//! Paths for 16-bit floats.

use half::f16;

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "aarch64")]
use super::neon_half::NeonHalf;
use super::portable::Portable;
use super::rounded::Rounded;
use super::{Element, Simd, Task, Vectors};

impl Element for f16 {
    type Path = HalfPath;

    const IS_SINGLE: bool = false;

    fn nearest(x: f32) -> Self {
        Self::from_f32(x)
    }
}

/// Which vector instructions compute with 16-bit floats (IEEE 754 binary16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HalfPath(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Portable(Rounded<Portable>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Rounded<Avx2>),
    #[cfg(target_arch = "aarch64")]
    Neon(NeonHalf),
}

impl HalfPath {
    /// The fastest path of this processor.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self(Kind::Portable(Rounded(Portable))))
    }

    /// Every path that this processor can take, the fastest last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut paths = vec![Self(Kind::Portable(Rounded(Portable)))];
        #[cfg(target_arch = "x86_64")]
        paths.extend(Avx2::detect().map(|simd| Self(Kind::Avx2(Rounded(simd)))));
        #[cfg(target_arch = "aarch64")]
        paths.extend(NeonHalf::detect().map(|simd| Self(Kind::Neon(simd))));
        paths
    }

    /// Whether the processor itself computes with 16-bit floats. Otherwise it comes to the same values by
    /// computing each with more bits and rounding it: slower than 32-bit floats by far.
    #[must_use]
    pub const fn is_native(self) -> bool {
        match self.0 {
            Kind::Portable(_) => false,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => false,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => true,
        }
    }

    /// `portable`, `avx2` or `neon`, as the 32-bit path that it belongs to.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }
}

impl Vectors<f16> for HalfPath {
    fn run<T: Task<f16>>(self, task: T) -> T::Output {
        match self.0 {
            Kind::Portable(simd) => simd.run(task),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(simd) => simd.run(task),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(simd) => simd.run(task),
        }
    }
}
