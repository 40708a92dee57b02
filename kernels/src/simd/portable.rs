//! Plain arrays, which the compiler turns into the target's baseline vector instructions (SSE2 on x86-64).

use super::{Simd, Task};

const LANES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Portable;

#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Array(pub [f32; LANES]);

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
        // SAFETY: guaranteed by the caller; an array of floats needs no more alignment than a float.
        Array(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: Array) {
        // SAFETY: guaranteed by the caller; an array of floats needs no more alignment than a float.
        unsafe { to.cast::<[f32; LANES]>().write(x.0) }
    }
}
