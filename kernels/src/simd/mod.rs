//! Vectors of eight or sixteen floats, implemented with the instructions that the processor has.
//!
//! Every kernel is written once, generic over [`Simd`], and compiled for each [`Isa`]; [`Isa::best`] chooses at run time. An
//! instruction set defines how many lanes its vectors have (eight in two registers on NEON) and how tall the tiles are that fit its
//! registers; weights are packed for it. We don't use a portable SIMD crate because, on processors without fused multiply-add, their
//! fallback calls the C library for every `fma`.
//!
//! Some kernels are also generic over the float type, [`Element`]. [`HalfIsa`] has the instruction sets for 16-bit floats.

/// The items of [`Simd`] that are the same for all vectors of 32-bit floats.
macro_rules! are_single {
    () => {
        type E = f32;
        type Wide = Self;

        #[inline(always)]
        fn wide(self) -> Self {
            self
        }

        #[inline(always)]
        fn widen(self, x: Self::V) -> [Self::V; 2] {
            [x; 2]
        }

        #[inline(always)]
        fn narrow(self, [x, _]: [Self::V; 2]) -> Self::V {
            x
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(feature = "half-emulation")]
mod emulation;
mod half_isa;
mod isa;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_half;
mod portable;

pub use self::half_isa::HalfIsa;
pub use self::isa::Isa;

use std::fmt::Debug;

use bytemuck::Pod;

/// The number of lanes in the widest vector.
const MAX_LANES: usize = 16;

/// A float type that kernels compute with.
pub(crate) trait Element: Pod + Default + Debug + Send + Sync {
    /// The instruction sets that support it.
    type Isa: Dispatch<Self>;

    /// Whether this is `f32`, so that inputs need no conversion.
    const IS_SINGLE: bool;

    /// Rounds to the nearest value of this type.
    fn nearest(x: f32) -> Self;
}

/// A processor's vector instructions. A value of an implementing type proves that this processor has them.
pub(crate) trait Simd: Copy + Send + Sync {
    type E: Element;
    /// A vector of [`Self::LANES`] elements.
    type V: Copy;
    /// The same processor's vectors of 32-bit floats, with as many lanes or half as many.
    type Wide: Simd<E = f32>;

    /// Lanes per vector, 8 or 16.
    const LANES: usize;
    /// Rows of two vectors of sums that fit the registers in addition to the operands, at most 12.
    const ROWS: usize;

    /// Runs the task, compiled for these instructions, as a separate function: if it were inlined into a large one, the compiler
    /// wouldn't keep the innermost loop's sums in registers.
    fn run<T: SimdTask<Self::E>>(self, task: T) -> T::Output;

    /// Returns the same processor's vectors of 32-bit floats.
    fn wide(self) -> Self::Wide;
    /// Converts the lanes to 32-bit floats: two vectors if those have half as many lanes, otherwise only the first is meaningful.
    fn widen(self, x: Self::V) -> [<Self::Wide as Simd>::V; 2];
    /// Rounds to the nearest values; the inverse of [`Self::widen`].
    fn narrow(self, x: [<Self::Wide as Simd>::V; 2]) -> Self::V;

    fn splat(self, x: Self::E) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Computes `a · b + c`, rounded once if the processor supports it.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Returns `x`, but at least `low`. Propagates NaN in `x`.
    fn clamp_min(self, low: Self::V, x: Self::V) -> Self::V;
    /// Returns `x`, but at most `high`. Propagates NaN in `x`.
    fn clamp_max(self, high: Self::V, x: Self::V) -> Self::V;

    /// # Safety
    /// [`Self::LANES`] floats must be readable at `from`, which needs no more than their alignment.
    unsafe fn load(self, from: *const Self::E) -> Self::V;

    /// # Safety
    /// [`Self::LANES`] floats must be writable at `to`, which needs no more than their alignment.
    unsafe fn store(self, to: *mut Self::E, x: Self::V);

    /// Loads the first `count` floats at `from`, or all lanes if `count` is [`Self::LANES`] or more; the remaining lanes are zero.
    ///
    /// # Safety
    /// `count` floats must be readable at `from`.
    #[inline(always)]
    unsafe fn load_some(self, from: *const Self::E, count: usize) -> Self::V {
        if count >= Self::LANES {
            // SAFETY: guaranteed by the caller.
            return unsafe { self.load(from) };
        }
        let mut lanes = [Self::E::default(); MAX_LANES];
        // SAFETY: guaranteed by the caller; `lanes` has room for any vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            self.load(lanes.as_ptr())
        }
    }

    /// Writes the first `count` lanes, or all lanes if `count` is [`Self::LANES`] or more.
    ///
    /// # Safety
    /// `count` floats must be writable at `to`.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut Self::E, x: Self::V, count: usize) {
        if count >= Self::LANES {
            // SAFETY: guaranteed by the caller.
            return unsafe { self.store(to, x) };
        }
        let lanes = self.lanes(x);
        // SAFETY: guaranteed by the caller.
        unsafe { std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count) }
    }

    /// [`Self::load_some`], with `FULL` stating at compile time that all lanes are loaded, so that an inner loop has no branch.
    ///
    /// # Safety
    /// `count` floats must be readable at `from`, or [`Self::LANES`] if `FULL`.
    #[inline(always)]
    unsafe fn load_if<const FULL: bool>(self, from: *const Self::E, count: usize) -> Self::V {
        // SAFETY: guaranteed by the caller.
        unsafe { if FULL { self.load(from) } else { self.load_some(from, count) } }
    }

    /// [`Self::store_some`] in the manner of [`Self::load_if`].
    ///
    /// # Safety
    /// `count` floats must be writable at `to`, or [`Self::LANES`] if `FULL`.
    #[inline(always)]
    unsafe fn store_if<const FULL: bool>(self, to: *mut Self::E, x: Self::V, count: usize) {
        // SAFETY: guaranteed by the caller.
        unsafe { if FULL { self.store(to, x) } else { self.store_some(to, x, count) } }
    }

    /// Returns the lanes, followed by zeros.
    #[inline(always)]
    fn lanes(self, x: Self::V) -> [Self::E; MAX_LANES] {
        let mut lanes = [Self::E::default(); MAX_LANES];
        // SAFETY: `lanes` has room for any vector.
        unsafe { self.store(lanes.as_mut_ptr(), x) };
        lanes
    }

    /// Sums the lanes pairwise, in the same order for all instruction sets with as many lanes.
    #[inline(always)]
    fn sum(self, x: Self::V) -> f32
    where
        Self: Simd<E = f32>,
    {
        let l = self.lanes(x);
        let l: [f32; 8] = std::array::from_fn(|lane| l[lane] + l[lane + 8]);
        ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }
}

/// Work that is compiled once for each instruction set. `run` must be `#[inline(always)]`, and so must every function it calls with
/// `S`: only code inlined into the instruction set's own function is compiled for it. Closures and iterators over vectors may not be
/// inlined, so loops over vectors use indices.
pub(crate) trait SimdTask<E: Element = f32> {
    type Output;
    fn run<S: Simd<E = E>>(self, simd: S) -> Self::Output;
}

/// A run-time choice of vector instructions for computing with `E`.
pub(crate) trait Dispatch<E: Element>: Copy + Debug + Send + Sync {
    /// Runs the task with these instructions.
    fn run<T: SimdTask<E>>(self, task: T) -> T::Output;

    /// Returns the lanes per vector.
    fn lanes(self) -> usize {
        self.run(Sizes).0
    }

    /// Returns the rows per tile.
    fn rows(self) -> usize {
        self.run(Sizes).1
    }
}

/// Queries the lanes per vector and the rows per tile.
struct Sizes;

impl<E: Element> SimdTask<E> for Sizes {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> (usize, usize) {
        (S::LANES, S::ROWS)
    }
}
