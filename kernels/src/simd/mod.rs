//! Eight or sixteen floats at a time, by whatever the processor has for it.
//!
//! Every kernel is written once, over [`Simd`], and compiled for each [`Path`]; [`Path::best`] chooses when the program
//! runs. A path says how many lanes its vectors have (eight in two registers on NEON) and how high the tiles are that its
//! registers hold; weights are packed for it. This is not one of the portable-vector crates because their fallback for
//! processors without fused multiplication calls the C library for every `fma`.
//!
//! Some kernels are written over the type of float, too: [`Element`]. [`HalfPath`] has the paths for 16-bit floats.

/// What vectors of 32-bit floats say of them in [`Simd`].
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
mod emulated;
mod half_path;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_half;
mod path;
mod portable;

pub use self::half_path::HalfPath;
pub use self::path::Path;

use std::fmt::Debug;

use bytemuck::Pod;

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

/// What kernels compute with.
pub(crate) trait Element: Pod + Default + Debug + Send + Sync {
    /// Whose vectors compute with it.
    type Path: Vectors<Self>;

    /// Whether it is `f32`, so that floats need no conversion.
    const IS_SINGLE: bool;

    /// The nearest one.
    fn nearest(x: f32) -> Self;
}

/// A processor's vector instructions. A value of the type is the proof that this processor has them.
pub(crate) trait Simd: Copy + Send + Sync {
    type E: Element;
    /// [`Self::LANES`] of them.
    type V: Copy;
    /// The same processor's for 32-bit floats, with as many lanes or half as many.
    type Wide: Simd<E = f32>;

    /// Lanes of a vector, 8 or 16.
    const LANES: usize;
    /// Rows of two vectors of sums that the registers hold beside what is multiplied, at most 12.
    const ROWS: usize;

    /// Runs the task compiled for these instructions, as a function of its own: within a large one the compiler finds no
    /// registers for an innermost loop's sums.
    fn run<T: Task<Self::E>>(self, task: T) -> T::Output;

    /// The same processor's vectors of 32-bit floats.
    fn wide(self) -> Self::Wide;
    /// The lanes as 32-bit floats: two vectors where those have half as many lanes, else the first of these.
    fn widen(self, x: Self::V) -> [<Self::Wide as Simd>::V; 2];
    /// The nearest ones to what [`Self::widen`] gives.
    fn narrow(self, x: [<Self::Wide as Simd>::V; 2]) -> Self::V;

    fn splat(self, x: Self::E) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the processor can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `x`, but at least `low`. Not-a-number in `x` stays.
    fn at_least(self, low: Self::V, x: Self::V) -> Self::V;
    /// `x`, but at most `high`. Not-a-number in `x` stays.
    fn at_most(self, high: Self::V, x: Self::V) -> Self::V;

    /// # Safety
    /// [`Self::LANES`] floats can be read at `from`; it needs no alignment beyond theirs.
    unsafe fn load(self, from: *const Self::E) -> Self::V;

    /// # Safety
    /// [`Self::LANES`] floats can be written at `to`; it needs no alignment beyond theirs.
    unsafe fn store(self, to: *mut Self::E, x: Self::V);

    /// The first `count` floats at `from`, the rest zero; all from [`Self::LANES`] on.
    ///
    /// # Safety
    /// `count` floats can be read at `from`.
    #[inline(always)]
    unsafe fn load_some(self, from: *const Self::E, count: usize) -> Self::V {
        if count >= Self::LANES {
            // SAFETY: the caller's promise.
            return unsafe { self.load(from) };
        }
        let mut lanes = [Self::E::default(); MOST_LANES];
        // SAFETY: the caller's promise; `lanes` has room for any vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            self.load(lanes.as_ptr())
        }
    }

    /// Writes the first `count` lanes; all from [`Self::LANES`] on.
    ///
    /// # Safety
    /// `count` floats can be written at `to`.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut Self::E, x: Self::V, count: usize) {
        if count >= Self::LANES {
            // SAFETY: the caller's promise.
            return unsafe { self.store(to, x) };
        }
        let lanes = self.lanes(x);
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count) }
    }

    /// [`Self::load_some`] where `FULL` says beforehand that all lanes are meant: an inner loop then has no branch.
    ///
    /// # Safety
    /// `count` floats can be read at `from`, [`Self::LANES`] where `FULL`.
    #[inline(always)]
    unsafe fn load_if<const FULL: bool>(self, from: *const Self::E, count: usize) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { if FULL { self.load(from) } else { self.load_some(from, count) } }
    }

    /// [`Self::store_some`], as [`Self::load_if`].
    ///
    /// # Safety
    /// `count` floats can be written at `to`, [`Self::LANES`] where `FULL`.
    #[inline(always)]
    unsafe fn store_if<const FULL: bool>(self, to: *mut Self::E, x: Self::V, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { if FULL { self.store(to, x) } else { self.store_some(to, x, count) } }
    }

    /// The lanes, with zeros behind them.
    #[inline(always)]
    fn lanes(self, x: Self::V) -> [Self::E; MOST_LANES] {
        let mut lanes = [Self::E::default(); MOST_LANES];
        // SAFETY: `lanes` has room for any vector.
        unsafe { self.store(lanes.as_mut_ptr(), x) };
        lanes
    }

    /// The sum of the lanes, added pairwise: the same order on every path of as many lanes.
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

/// Work that is compiled once for each path. `run` must be `#[inline(always)]`, and so must all that it calls with `S`:
/// only what ends up inside the path's own function is compiled with its instructions. Closures and iterators over vectors
/// may not, so loops over vectors count.
pub(crate) trait Task<E: Element = f32> {
    type Output;
    fn run<S: Simd<E = E>>(self, simd: S) -> Self::Output;
}

/// A choice among the vector instructions that compute with `E`.
pub(crate) trait Vectors<E: Element>: Copy + Debug + Send + Sync {
    /// Runs the task by these.
    fn run<T: Task<E>>(self, task: T) -> T::Output;

    /// Lanes of a vector.
    fn lanes(self) -> usize {
        self.run(Sizes).0
    }

    /// Rows of a tile.
    fn rows(self) -> usize {
        self.run(Sizes).1
    }
}

/// Lanes of a vector, rows of a tile.
struct Sizes;

impl<E: Element> Task<E> for Sizes {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> (usize, usize) {
        (S::LANES, S::ROWS)
    }
}
