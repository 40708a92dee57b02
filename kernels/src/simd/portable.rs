//! Plain arrays, which the compiler turns into the target's baseline vector instructions (SSE2 on x86-64).

use super::{Simd, SimdTask};

const LANES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Portable;

#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct PortableVector(pub [f32; LANES]);

#[inline(always)]
fn zip(a: PortableVector, b: PortableVector, f: impl Fn(f32, f32) -> f32) -> PortableVector {
    PortableVector(std::array::from_fn(|lane| f(a.0[lane], b.0[lane])))
}

impl Simd for Portable {
    type V = PortableVector;

    const LANES: usize = LANES;
    const ROWS: usize = 6;

    #[inline(never)]
    fn run<T: SimdTask>(self, task: T) -> T::Output {
        task.run(self)
    }

    are_single!();

    #[inline(always)]
    fn splat(self, x: f32) -> PortableVector {
        PortableVector([x; LANES])
    }

    #[inline(always)]
    fn add(self, a: PortableVector, b: PortableVector) -> PortableVector {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: PortableVector, b: PortableVector) -> PortableVector {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: PortableVector, b: PortableVector) -> PortableVector {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn fma(self, a: PortableVector, b: PortableVector, c: PortableVector) -> PortableVector {
        self.add(self.mul(a, b), c)
    }

    #[inline(always)]
    fn clamp_min(self, low: PortableVector, x: PortableVector) -> PortableVector {
        zip(low, x, |low, x| if low > x { low } else { x })
    }

    #[inline(always)]
    fn clamp_max(self, high: PortableVector, x: PortableVector) -> PortableVector {
        zip(high, x, |high, x| if high < x { high } else { x })
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> PortableVector {
        // SAFETY: guaranteed by the caller; an array of floats needs no more alignment than a float.
        PortableVector(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: PortableVector) {
        // SAFETY: guaranteed by the caller; an array of floats needs no more alignment than a float.
        unsafe { to.cast::<[f32; LANES]>().write(x.0) }
    }
}
