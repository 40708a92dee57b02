//! NEON: two 128-bit registers per vector, out of 64-bit ARM's thirty-two.

use std::arch::aarch64::*;

use super::{Simd, SimdTask};

/// NEON. Created only by [`Neon::detect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Neon(());

impl Neon {
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Pair(pub(super) float32x4_t, pub(super) float32x4_t);

#[inline(never)]
#[target_feature(enable = "neon")]
fn compiled_for_neon<T: SimdTask>(simd: Neon, task: T) -> T::Output {
    task.run(simd)
}

/// Applies one instruction to both halves.
macro_rules! halves {
    ($instruction:ident($($x:ident),+)) => {
        // SAFETY: a value of `Neon` exists, so the processor has the instruction.
        unsafe { Pair($instruction($($x.0),+), $instruction($($x.1),+)) }
    };
}

impl Simd for Neon {
    type V = Pair;

    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<T: SimdTask>(self, task: T) -> T::Output {
        // SAFETY: `self` exists, so the processor has NEON.
        unsafe { compiled_for_neon(self, task) }
    }

    are_single!();

    #[inline(always)]
    fn splat(self, x: f32) -> Pair {
        // SAFETY: `self` exists, so the processor has the instruction.
        unsafe { Pair(vdupq_n_f32(x), vdupq_n_f32(x)) }
    }

    #[inline(always)]
    fn add(self, a: Pair, b: Pair) -> Pair {
        halves!(vaddq_f32(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Pair, b: Pair) -> Pair {
        halves!(vsubq_f32(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Pair, b: Pair) -> Pair {
        halves!(vmulq_f32(a, b))
    }

    #[inline(always)]
    fn fma(self, a: Pair, b: Pair, c: Pair) -> Pair {
        halves!(vfmaq_f32(c, a, b))
    }

    #[inline(always)]
    fn clamp_min(self, low: Pair, x: Pair) -> Pair {
        // The instruction propagates NaN.
        halves!(vmaxq_f32(low, x))
    }

    #[inline(always)]
    fn clamp_max(self, high: Pair, x: Pair) -> Pair {
        halves!(vminq_f32(high, x))
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Pair {
        // SAFETY: the caller promises eight floats.
        unsafe { Pair(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Pair) {
        // SAFETY: the caller promises room for eight floats.
        unsafe {
            vst1q_f32(to, x.0);
            vst1q_f32(to.add(4), x.1);
        }
    }
}
