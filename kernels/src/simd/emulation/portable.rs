//! 16-bit floats emulated with plain arrays of 32-bit floats.

use half::f16;

use super::RoundToHalf;
use crate::simd::portable::{Portable, PortableVector};
use crate::simd::{Simd, SimdTask};

impl RoundToHalf for Portable {
    #[inline(never)]
    fn enter<S: Simd, T: SimdTask<S::E>>(self, simd: S, task: T) -> T::Output {
        task.run(simd)
    }

    // Not inlined, because each is a page of instructions if the processor has none for it.
    #[inline(never)]
    fn round_to_half(self, x: PortableVector) -> PortableVector {
        PortableVector(x.0.map(|x| f16::from_f32(x).to_f32()))
    }

    #[inline(never)]
    fn fma_to_half(self, a: PortableVector, b: PortableVector, c: PortableVector) -> PortableVector {
        // 53 bits hold product and sum exactly unless their magnitudes differ absurdly.
        let lane = |lane: usize| f64::from(a.0[lane]) * f64::from(b.0[lane]) + f64::from(c.0[lane]);
        PortableVector(std::array::from_fn(|index| f16::from_f32(to_odd(lane(index))).to_f32()))
    }

    #[inline(never)]
    unsafe fn load_half(self, from: *const f16) -> PortableVector {
        // SAFETY: guaranteed by the caller; an array of floats needs no more alignment than a float.
        PortableVector(unsafe { from.cast::<[f16; Portable::LANES]>().read() }.map(f16::to_f32))
    }

    #[inline(never)]
    unsafe fn store_half(self, to: *mut f16, x: PortableVector) {
        // SAFETY: guaranteed by the caller; an array of floats needs no more alignment than a float.
        unsafe { to.cast::<[f16; Portable::LANES]>().write(x.0.map(f16::from_f32)) }
    }
}

/// Rounds to 24 bits, to odd if inexact: rounded again to fewer bits, it gives the same result as `x`.
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
