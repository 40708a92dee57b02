//! 16-bit floats emulated with AVX2's 32-bit floats.

use std::arch::x86_64::*;

use half::f16;

use super::RoundToHalf;
use crate::simd::avx2::{Avx2, compiled_for_avx2};
use crate::simd::{Simd, SimdTask};

impl RoundToHalf for Avx2 {
    #[inline(always)]
    fn enter<S: Simd, T: SimdTask<S::E>>(self, simd: S, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has AVX2, FMA and F16C.
        unsafe { compiled_for_avx2(simd, task) }
    }

    #[inline(always)]
    fn round_to_half(self, x: __m256) -> __m256 {
        // SAFETY: `self` exists, so the processor has the instruction; so do those below.
        unsafe { _mm256_cvtph_ps(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x)) }
    }

    #[inline(always)]
    fn fma_to_half(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        let product = self.mul(a, b);
        let sum = self.add(product, c);
        // The product has 22 significant bits, so it is exact, and so is the sum's rounding error (Knuth's two-sum).
        let added = self.sub(sum, product);
        let lost = self.add(self.sub(product, self.sub(sum, added)), self.sub(c, added));
        // Round an inexact sum to odd, so that the second rounding decides as if it saw all bits (Boldo, Melquiond: *Emulation of FMA and
        // correctly rounded sums*, 2008). An even sum is moved one step in the direction of its rounding error.
        // SAFETY: see `round_to_half`.
        let odd = unsafe {
            let bits = _mm256_castps_si256(sum);
            let signs = _mm256_xor_si256(bits, _mm256_castps_si256(lost));
            let step = _mm256_or_si256(_mm256_srai_epi32::<31>(signs), _mm256_set1_epi32(1));
            let last = _mm256_and_si256(bits, _mm256_set1_epi32(1));
            let even = _mm256_cmpeq_epi32(last, _mm256_setzero_si256());
            let inexact = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_NEQ_OQ>(lost, _mm256_setzero_ps()));
            let step = _mm256_and_si256(step, _mm256_and_si256(even, inexact));
            _mm256_castsi256_ps(_mm256_add_epi32(bits, step))
        };
        self.round_to_half(odd)
    }

    #[inline(always)]
    unsafe fn load_half(self, from: *const f16) -> __m256 {
        // SAFETY: see `round_to_half`; the caller promises eight floats of 16 bits.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_half(self, to: *mut f16, x: __m256) {
        // SAFETY: see `round_to_half`; the caller promises room for eight floats of 16 bits.
        unsafe { _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x)) }
    }
}
