//! AVX2 with fused multiplication and conversions of 16-bit floats: one 256-bit register a vector.

use std::arch::x86_64::*;

use half::f16;

use super::rounded::Rounds;
use super::{Simd, Task};

/// Made by [`Avx2::detect`] only: with FMA and F16C, as every processor since 2013 that has AVX2.
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
    type V = __m256;

    const LANES: usize = 8;
    /// With the two vectors of the panel and one factor they fill the sixteen registers.
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<T: Task>(self, task: T) -> T::Output {
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
    fn rounded_fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        let product = self.mul(a, b);
        let sum = self.add(product, c);
        // The product has 22 digits, so it is exact; what the sum lost is, too (Knuth's two-sum).
        let added = self.sub(sum, product);
        let lost = self.add(self.sub(product, self.sub(sum, added)), self.sub(c, added));
        // A sum that lost something becomes odd: then the second rounding decides as if it saw all digits (Boldo, Melquiond:
        // *Emulation of FMA and correctly rounded sums*, 2008). One step towards what was lost is made from an even one.
        // SAFETY: see `splat`.
        let odd = unsafe {
            let bits = _mm256_castps_si256(sum);
            let apart = _mm256_xor_si256(bits, _mm256_castps_si256(lost));
            let step = _mm256_or_si256(_mm256_srai_epi32::<31>(apart), _mm256_set1_epi32(1));
            let last = _mm256_and_si256(bits, _mm256_set1_epi32(1));
            let even = _mm256_cmpeq_epi32(last, _mm256_setzero_si256());
            let inexact = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_NEQ_OQ>(lost, _mm256_setzero_ps()));
            let step = _mm256_and_si256(step, _mm256_and_si256(even, inexact));
            _mm256_castsi256_ps(_mm256_add_epi32(bits, step))
        };
        self.rounded(odd)
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
