//! AVX2 with FMA and 16-bit float conversions (F16C): one 256-bit register per vector.

use std::arch::x86_64::*;

use super::{Simd, SimdTask};

/// AVX2, FMA and F16C, which every AVX2 processor since 2013 has. Created only by [`Avx2::detect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        has_all.then_some(Self(()))
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn compiled_for_avx2<S: Simd, T: SimdTask<S::E>>(simd: S, task: T) -> T::Output {
    task.run(simd)
}

impl Simd for Avx2 {
    type V = __m256;

    const LANES: usize = 8;
    /// Together with the panel's two vectors and one factor, they fill the sixteen registers.
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<T: SimdTask>(self, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has AVX2, FMA and F16C.
        unsafe { compiled_for_avx2(self, task) }
    }

    are_single!();

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` exists, so the processor has the instruction; so do those below.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn clamp_min(self, low: __m256, x: __m256) -> __m256 {
        // SAFETY: see `splat`. The instruction returns its second operand if either is NaN.
        unsafe { _mm256_max_ps(low, x) }
    }

    #[inline(always)]
    fn clamp_max(self, high: __m256, x: __m256) -> __m256 {
        // SAFETY: see `clamp_min`.
        unsafe { _mm256_min_ps(high, x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: see `splat`; the caller promises eight floats.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: see `splat`; the caller promises room for eight floats.
        unsafe { _mm256_storeu_ps(to, x) }
    }
}
