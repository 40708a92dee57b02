//! Emulation of 16-bit floats on processors that only have 32-bit arithmetic, by rounding every result to 16 bits. Slow but
//! bit-identical, so that a workstation can reproduce what a board computes.
//!
//! For a sum, difference or product of 16-bit floats, rounding to 32 bits and then to 16 gives the same result as rounding once: 24
//! significant bits are enough (Figueroa: *When is double rounding innocuous?*, 1995). This doesn't hold for fused multiply-add.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;

use half::f16;

use super::{Simd, SimdTask};

/// The operations on 32-bit vectors that [`EmulatedHalf`] needs.
pub(super) trait RoundToHalf: Simd<E = f32> {
    /// Runs the task, compiled for these instructions.
    fn enter<S: Simd, T: SimdTask<S::E>>(self, simd: S, task: T) -> T::Output;

    /// Rounds each lane to the nearest 16-bit float.
    fn round_to_half(self, x: Self::V) -> Self::V;

    /// Computes `a · b + c` of 16-bit floats, rounded once to the nearest 16-bit float.
    fn fma_to_half(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// # Safety
    /// [`Simd::LANES`] floats must be readable at `from`, which needs no more than their alignment.
    unsafe fn load_half(self, from: *const f16) -> Self::V;

    /// # Safety
    /// [`Simd::LANES`] floats must be writable at `to`, which needs no more than their alignment.
    unsafe fn store_half(self, to: *mut f16, x: Self::V);
}

/// 32-bit vectors that hold 16-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EmulatedHalf<S>(pub S);

impl<W: RoundToHalf> Simd for EmulatedHalf<W> {
    type E = f16;
    type V = W::V;
    type Wide = W;

    const LANES: usize = W::LANES;
    const ROWS: usize = W::ROWS;

    #[inline(always)]
    fn run<T: SimdTask<f16>>(self, task: T) -> T::Output {
        self.0.enter(self, task)
    }

    #[inline(always)]
    fn wide(self) -> W {
        self.0
    }

    #[inline(always)]
    fn widen(self, x: W::V) -> [W::V; 2] {
        [x; 2]
    }

    #[inline(always)]
    fn narrow(self, [x, _]: [W::V; 2]) -> W::V {
        self.0.round_to_half(x)
    }

    #[inline(always)]
    fn splat(self, x: f16) -> W::V {
        self.0.splat(x.to_f32())
    }

    #[inline(always)]
    fn add(self, a: W::V, b: W::V) -> W::V {
        self.0.round_to_half(self.0.add(a, b))
    }

    #[inline(always)]
    fn sub(self, a: W::V, b: W::V) -> W::V {
        self.0.round_to_half(self.0.sub(a, b))
    }

    #[inline(always)]
    fn mul(self, a: W::V, b: W::V) -> W::V {
        self.0.round_to_half(self.0.mul(a, b))
    }

    #[inline(always)]
    fn fma(self, a: W::V, b: W::V, c: W::V) -> W::V {
        self.0.fma_to_half(a, b, c)
    }

    #[inline(always)]
    fn clamp_min(self, low: W::V, x: W::V) -> W::V {
        self.0.clamp_min(low, x)
    }

    #[inline(always)]
    fn clamp_max(self, high: W::V, x: W::V) -> W::V {
        self.0.clamp_max(high, x)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f16) -> W::V {
        // SAFETY: guaranteed by the caller.
        unsafe { self.0.load_half(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f16, x: W::V) {
        // SAFETY: guaranteed by the caller.
        unsafe { self.0.store_half(to, x) }
    }
}
