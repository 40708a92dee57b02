//! AVX2 with fused multiplication and conversions of 16-bit floats: one 256-bit register a vector.

use std::arch::x86_64::*;

use half::f16;

use super::rounded::Rounds;
use super::{Simd, Task};

/// Made by [`Avx2::detect`] only.
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
fn compiled_for_avx2<S: Simd, T: Task<S::E>>(simd: S, task: T) -> T::Output {
    task.run(simd)
}

impl Simd for Avx2 {
    type E = f32;
    type V = __m256;
    type Wide = Self;

    const LANES: usize = 8;
    /// With the two vectors of the panel and one factor they fill the sixteen registers.
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<T: Task>(self, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has AVX2, FMA and F16C.
        unsafe { compiled_for_avx2(self, task) }
    }

    #[inline(always)]
    fn wide(self) -> Self {
        self
    }

    #[inline(always)]
    fn widen(self, x: __m256) -> [__m256; 2] {
        [x; 2]
    }

    #[inline(always)]
    fn narrow(self, [x, _]: [__m256; 2]) -> __m256 {
        x
    }

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
    fn at_least(self, low: __m256, x: __m256) -> __m256 {
        // SAFETY: see `splat`. The instruction returns its second operand where one is not a number.
        unsafe { _mm256_max_ps(low, x) }
    }

    #[inline(always)]
    fn at_most(self, high: __m256, x: __m256) -> __m256 {
        // SAFETY: see `at_least`.
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

impl Rounds for Avx2 {
    #[inline(always)]
    fn enter<S: Simd, T: Task<S::E>>(self, simd: S, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has AVX2, FMA and F16C.
        unsafe { compiled_for_avx2(simd, task) }
    }

    #[inline(always)]
    fn rounded(self, x: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_cvtph_ps(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x)) }
    }

    #[inline(always)]
    unsafe fn load_half(self, from: *const f16) -> __m256 {
        // SAFETY: see `splat`; the caller promises eight floats of 16 bits.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_half(self, to: *mut f16, x: __m256) {
        // SAFETY: see `splat`; the caller promises room for eight floats of 16 bits.
        unsafe { _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x)) }
    }
}
