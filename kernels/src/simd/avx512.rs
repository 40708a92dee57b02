//! AVX-512: one 512-bit register per vector, out of thirty-two, and masks for partial vectors.

use std::arch::x86_64::*;

use super::{Simd, SimdTask};

/// AVX-512. Created only by [`Avx512::detect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

#[inline(never)]
#[target_feature(enable = "avx512f")]
fn compiled_for_avx512<T: SimdTask>(simd: Avx512, task: T) -> T::Output {
    task.run(simd)
}

impl Simd for Avx512 {
    type V = __m512;

    const LANES: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)]
    fn run<T: SimdTask>(self, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has AVX-512.
        unsafe { compiled_for_avx512(self, task) }
    }

    are_single!();

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` exists, so the processor has the instruction; so do those below.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn clamp_min(self, low: __m512, x: __m512) -> __m512 {
        // SAFETY: see `splat`. The instruction returns its second operand if either is NaN.
        unsafe { _mm512_max_ps(low, x) }
    }

    #[inline(always)]
    fn clamp_max(self, high: __m512, x: __m512) -> __m512 {
        // SAFETY: see `clamp_min`.
        unsafe { _mm512_min_ps(high, x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: see `splat`; the caller promises sixteen floats.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: see `splat`; the caller promises room for sixteen floats.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: see `splat`; masked-out lanes are not read, and the caller promises the rest.
        unsafe { _mm512_maskz_loadu_ps(first(count), from) }
    }

    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, x: __m512, count: usize) {
        // SAFETY: see `splat`; masked-out lanes are not written, and the caller promises the rest.
        unsafe {
            // Most images end with a whole or half vector, and Zen 4 takes hundreds of cycles for a masked store.
            match count {
                16.. => _mm512_storeu_ps(to, x),
                8 => _mm256_storeu_ps(to, _mm512_castps512_ps256(x)),
                _ => _mm512_mask_storeu_ps(to, first(count), x),
            }
        }
    }
}

/// Returns the mask of the first `count` lanes, or of all lanes if `count` is sixteen or more.
#[inline(always)]
const fn first(count: usize) -> __mmask16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}
