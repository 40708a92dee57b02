//! Arrays, which the compiler turns into what every processor of the target has (SSE2 on x86-64).

use half::f16;

use super::rounded::Rounds;
use super::{Simd, Task};

const LANES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Portable;

#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Array([f32; LANES]);

#[inline(always)]
fn zip(a: Array, b: Array, f: impl Fn(f32, f32) -> f32) -> Array {
    Array(std::array::from_fn(|lane| f(a.0[lane], b.0[lane])))
}

impl Simd for Portable {
    type V = Array;

    const LANES: usize = LANES;
    const ROWS: usize = 6;

    #[inline(never)]
    fn run<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    are_single!();

    #[inline(always)]
    fn splat(self, x: f32) -> Array {
        Array([x; LANES])
    }

    #[inline(always)]
    fn add(self, a: Array, b: Array) -> Array {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Array, b: Array) -> Array {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Array, b: Array) -> Array {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn fma(self, a: Array, b: Array, c: Array) -> Array {
        self.add(self.mul(a, b), c)
    }

    #[inline(always)]
    fn at_least(self, low: Array, x: Array) -> Array {
        zip(low, x, |low, x| if low > x { low } else { x })
    }

    #[inline(always)]
    fn at_most(self, high: Array, x: Array) -> Array {
        zip(high, x, |high, x| if high < x { high } else { x })
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Array {
        // SAFETY: the caller's promise; an array of floats needs no more alignment than a float.
        Array(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Array) {
        // SAFETY: the caller's promise; an array of floats needs no more alignment than a float.
        unsafe { to.cast::<[f32; LANES]>().write(x.0) }
    }
}

impl Rounds for Portable {
    #[inline(never)]
    fn enter<S: Simd, T: Task<S::E>>(self, simd: S, task: T) -> T::Output {
        task.run(simd)
    }

    // Calls, because each is a page of instructions where the processor has none for it.
    #[inline(never)]
    fn rounded(self, x: Array) -> Array {
        Array(x.0.map(|x| f16::from_f32(x).to_f32()))
    }

    #[inline(never)]
    fn rounded_fma(self, a: Array, b: Array, c: Array) -> Array {
        // 53 digits hold product and sum of all but absurdly different sizes.
        let lane = |lane: usize| f64::from(a.0[lane]) * f64::from(b.0[lane]) + f64::from(c.0[lane]);
        Array(std::array::from_fn(|index| f16::from_f32(to_odd(lane(index))).to_f32()))
    }

    #[inline(never)]
    unsafe fn load_half(self, from: *const f16) -> Array {
        // SAFETY: the caller's promise; an array of floats needs no more alignment than a float.
        Array(unsafe { from.cast::<[f16; LANES]>().read() }.map(f16::to_f32))
    }

    #[inline(never)]
    unsafe fn store_half(self, to: *mut f16, x: Array) {
        // SAFETY: the caller's promise; an array of floats needs no more alignment than a float.
        unsafe { to.cast::<[f16; LANES]>().write(x.0.map(f16::from_f32)) }
    }
}

/// With 24 digits, the last of which is one where digits are lost: rounded again to fewer, it becomes what `x` would.
fn to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    let is_exact = f64::from(nearest) == x || x.is_nan();
    if is_exact || nearest.to_bits() & 1 == 1 {
        nearest
    } else if x.abs() > f64::from(nearest.abs()) {
        f32::from_bits(nearest.to_bits() + 1)
    } else {
        f32::from_bits(nearest.to_bits() - 1)
    }
}
