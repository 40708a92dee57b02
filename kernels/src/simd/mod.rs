//! Eight 32-bit floats at a time, by whatever the processor has for it.
//!
//! Every kernel is written once, over [`Simd`], and compiled for each [`Path`]; [`Path::best`] chooses when the program
//! runs. Eight lanes everywhere (two registers on NEON) let all paths share one layout of the packed weights. That, and a
//! path without fused multiplication for processors that lack it, is why this is not one of the portable-vector crates:
//! their width follows the processor, and their fallback calls the C library for every `fma`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
use avx2::Avx2;
#[cfg(target_arch = "aarch64")]
use neon::Neon;
use portable::Portable;

/// Lanes of a vector.
pub(crate) const LANES: usize = 8;

/// A processor's vector instructions. A value of the type is the proof that this processor has them.
pub(crate) trait Simd: Copy + Send + Sync {
    /// [`LANES`] floats.
    type V: Copy;

    /// Runs the task compiled for these instructions, as a function of its own: within a large one the compiler finds no
    /// registers for an innermost loop's sums.
    fn run<T: Task>(self, task: T) -> T::Output;

    fn splat(self, x: f32) -> Self::V;
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
    /// [`LANES`] floats can be read at `from`; it needs no alignment beyond theirs.
    unsafe fn load(self, from: *const f32) -> Self::V;

    /// # Safety
    /// [`LANES`] floats can be written at `to`; it needs no alignment beyond theirs.
    unsafe fn store(self, to: *mut f32, x: Self::V);

    /// The first `count` floats at `from`, the rest zero; all from [`LANES`] on.
    ///
    /// # Safety
    /// `count` floats can be read at `from`.
    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, count: usize) -> Self::V {
        if count >= LANES {
            // SAFETY: the caller's promise.
            return unsafe { self.load(from) };
        }
        let mut lanes = [0.0; LANES];
        // SAFETY: the caller's promise; `lanes` has room for LANES floats.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            self.load(lanes.as_ptr())
        }
    }

    /// Writes the first `count` lanes; all from [`LANES`] on.
    ///
    /// # Safety
    /// `count` floats can be written at `to`.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, x: Self::V, count: usize) {
        if count >= LANES {
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
    /// `count` floats can be read at `from`, [`LANES`] where `FULL`.
    #[inline(always)]
    unsafe fn load_if<const FULL: bool>(self, from: *const f32, count: usize) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { if FULL { self.load(from) } else { self.load_some(from, count) } }
    }

    /// [`Self::store_some`], as [`Self::load_if`].
    ///
    /// # Safety
    /// `count` floats can be written at `to`, [`LANES`] where `FULL`.
    #[inline(always)]
    unsafe fn store_if<const FULL: bool>(self, to: *mut f32, x: Self::V, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { if FULL { self.store(to, x) } else { self.store_some(to, x, count) } }
    }

    #[inline(always)]
    fn lanes(self, x: Self::V) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: `lanes` has room for LANES floats.
        unsafe { self.store(lanes.as_mut_ptr(), x) };
        lanes
    }

    /// The sum of the lanes, added pairwise: the same order on every path.
    #[inline(always)]
    fn sum(self, x: Self::V) -> f32 {
        let l = self.lanes(x);
        ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }
}

/// Work that is compiled once for each path. `run` must be `#[inline(always)]`, and so must all that it calls with `S`:
/// only what ends up inside the path's own function is compiled with its instructions. Closures and iterators over vectors
/// may not, so loops over vectors count.
pub(crate) trait Task {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Which of the processor's vector instructions the kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Path {
    /// What every processor can do.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// The fastest path of this processor.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self::PORTABLE)
    }

    /// Every path that this processor can take, the fastest last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut paths = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        paths.extend(Avx2::detect().map(|avx2| Self(Kind::Avx2(avx2))));
        #[cfg(target_arch = "aarch64")]
        paths.extend(Neon::detect().map(|neon| Self(Kind::Neon(neon))));
        paths
    }

    /// `portable`, `avx2` or `neon`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
        }
    }

    /// Runs the task on this path.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            Kind::Portable => Portable.run(task),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(simd) => simd.run(task),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(simd) => simd.run(task),
        }
    }
}
