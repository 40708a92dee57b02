//! NEON's 16-bit float arithmetic (Armv8.2-A, FEAT_FP16: Cortex-A76 of the Raspberry Pi 5, A78AE of the Jetson Orin): two 128-bit
//! registers per vector.

#![allow(
    inline_always_mismatching_target_features,
    reason = "inlined into the function that is compiled for them, see `super::SimdTask`"
)]

use std::arch::aarch64::*;

use half::f16;

use super::neon::{Neon, Pair};
use super::{Simd, SimdTask};

/// NEON with 16-bit arithmetic. Created only by [`NeonHalf::detect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NeonHalf(Neon);

impl NeonHalf {
    pub fn detect() -> Option<Self> {
        let has_arithmetic = std::arch::is_aarch64_feature_detected!("fp16");
        Neon::detect().filter(|_| has_arithmetic).map(Self)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct HalfPair(float16x8_t, float16x8_t);

#[inline(never)]
#[target_feature(enable = "neon,fp16")]
fn compiled_for_half<T: SimdTask<f16>>(simd: NeonHalf, task: T) -> T::Output {
    task.run(simd)
}

/// Applies one instruction to both halves.
macro_rules! halves {
    ($instruction:ident($($x:ident),+)) => {
        // SAFETY: a value of `NeonHalf` exists, so the processor has the instruction.
        unsafe { HalfPair($instruction($($x.0),+), $instruction($($x.1),+)) }
    };
}

impl Simd for NeonHalf {
    type E = f16;
    type V = HalfPair;
    type Wide = Neon;

    const LANES: usize = 16;
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<T: SimdTask<f16>>(self, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has NEON with 16-bit arithmetic.
        unsafe { compiled_for_half(self, task) }
    }

    #[inline(always)]
    fn wide(self) -> Neon {
        self.0
    }

    #[inline(always)]
    fn widen(self, x: HalfPair) -> [Pair; 2] {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            [
                Pair(vcvt_f32_f16(vget_low_f16(x.0)), vcvt_high_f32_f16(x.0)),
                Pair(vcvt_f32_f16(vget_low_f16(x.1)), vcvt_high_f32_f16(x.1)),
            ]
        }
    }

    #[inline(always)]
    fn narrow(self, [low, high]: [Pair; 2]) -> HalfPair {
        // SAFETY: as in `widen`.
        unsafe {
            HalfPair(
                vcvt_high_f16_f32(vcvt_f16_f32(low.0), low.1),
                vcvt_high_f16_f32(vcvt_f16_f32(high.0), high.1),
            )
        }
    }

    #[inline(always)]
    fn splat(self, x: f16) -> HalfPair {
        // SAFETY: as in `widen`.
        let all = unsafe { vreinterpretq_f16_u16(vdupq_n_u16(x.to_bits())) };
        HalfPair(all, all)
    }

    #[inline(always)]
    fn add(self, a: HalfPair, b: HalfPair) -> HalfPair {
        halves!(vaddq_f16(a, b))
    }

    #[inline(always)]
    fn sub(self, a: HalfPair, b: HalfPair) -> HalfPair {
        halves!(vsubq_f16(a, b))
    }

    #[inline(always)]
    fn mul(self, a: HalfPair, b: HalfPair) -> HalfPair {
        halves!(vmulq_f16(a, b))
    }

    #[inline(always)]
    fn fma(self, a: HalfPair, b: HalfPair, c: HalfPair) -> HalfPair {
        halves!(vfmaq_f16(c, a, b))
    }

    #[inline(always)]
    fn clamp_min(self, low: HalfPair, x: HalfPair) -> HalfPair {
        // The instruction propagates NaN.
        halves!(vmaxq_f16(low, x))
    }

    #[inline(always)]
    fn clamp_max(self, high: HalfPair, x: HalfPair) -> HalfPair {
        halves!(vminq_f16(high, x))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f16) -> HalfPair {
        let from = from.cast::<u16>();
        // SAFETY: the caller promises sixteen floats.
        unsafe {
            HalfPair(vreinterpretq_f16_u16(vld1q_u16(from)), vreinterpretq_f16_u16(vld1q_u16(from.add(8))))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f16, x: HalfPair) {
        let to = to.cast::<u16>();
        // SAFETY: the caller promises room for sixteen floats.
        unsafe {
            vst1q_u16(to, vreinterpretq_u16_f16(x.0));
            vst1q_u16(to.add(8), vreinterpretq_u16_f16(x.1));
        }
    }
}
