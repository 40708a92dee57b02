//! 16-bit floats where the processor computes with 32-bit ones only: every result is rounded to 16 bits. Slow, and the same
//! values to the bit: to see on a workstation what a board's processor computes.
//!
//! A sum, difference or product of 16-bit floats, rounded to 32 bits and then to 16, is what one rounding gives: 24 digits are
//! enough for that (Figueroa: *When is double rounding innocuous?*, 1995). A fused multiplication isn't.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;

use half::f16;

use super::{Simd, Task};

/// What [`Rounded`] needs of 32-bit vectors.
pub(super) trait Rounds: Simd<E = f32> {
    /// Runs the task compiled for these instructions.
    fn enter<S: Simd, T: Task<S::E>>(self, simd: S, task: T) -> T::Output;

    /// Each lane as the nearest 16-bit float.
    fn rounded(self, x: Self::V) -> Self::V;

    /// `a · b + c` of 16-bit floats as the nearest one, rounded once.
    fn rounded_fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// # Safety
    /// [`Simd::LANES`] floats can be read at `from`; it needs no alignment beyond theirs.
    unsafe fn load_half(self, from: *const f16) -> Self::V;

    /// # Safety
    /// [`Simd::LANES`] floats can be written at `to`; it needs no alignment beyond theirs.
    unsafe fn store_half(self, to: *mut f16, x: Self::V);
}

/// 32-bit vectors that hold 16-bit floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Rounded<S>(pub S);

impl<W: Rounds> Simd for Rounded<W> {
    type E = f16;
    type V = W::V;
    type Wide = W;

    const LANES: usize = W::LANES;
    const ROWS: usize = W::ROWS;

    #[inline(always)]
    fn run<T: Task<f16>>(self, task: T) -> T::Output {
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
        self.0.rounded(x)
    }

    #[inline(always)]
    fn splat(self, x: f16) -> W::V {
        self.0.splat(x.to_f32())
    }

    #[inline(always)]
    fn add(self, a: W::V, b: W::V) -> W::V {
        self.0.rounded(self.0.add(a, b))
    }

    #[inline(always)]
    fn sub(self, a: W::V, b: W::V) -> W::V {
        self.0.rounded(self.0.sub(a, b))
    }

    #[inline(always)]
    fn mul(self, a: W::V, b: W::V) -> W::V {
        self.0.rounded(self.0.mul(a, b))
    }

    #[inline(always)]
    fn fma(self, a: W::V, b: W::V, c: W::V) -> W::V {
        self.0.rounded_fma(a, b, c)
    }

    #[inline(always)]
    fn at_least(self, low: W::V, x: W::V) -> W::V {
        self.0.at_least(low, x)
    }

    #[inline(always)]
    fn at_most(self, high: W::V, x: W::V) -> W::V {
        self.0.at_most(high, x)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f16) -> W::V {
        // SAFETY: the caller's promise.
        unsafe { self.0.load_half(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f16, x: W::V) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store_half(to, x) }
    }
}
