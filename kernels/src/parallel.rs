//! Splits one kernel's blocks between threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use crate::simd::Element;

/// Calls `block` for 0..count. On a thread of a rayon pool, the pool's idle threads take part; on any other thread, or in a pool of one,
/// the calls are made in order.
pub(crate) fn for_each(count: usize, block: impl Fn(usize) + Send + Sync) {
    if threads() > 1 && count > 1 {
        (0..count).into_par_iter().with_max_len(1).for_each(block);
    } else {
        (0..count).for_each(block);
    }
}

/// [`for_each`] over ranges of at most `max_length` that cover 0..count.
pub(crate) fn for_each_range(count: usize, max_length: usize, range: impl Fn(Range<usize>) + Send + Sync) {
    for_each(count.div_ceil(max_length), |index| {
        range(index * max_length..((index + 1) * max_length).min(count))
    });
}

/// Returns the number of threads that may take part in [`for_each`].
pub(crate) fn threads() -> usize {
    if ALONE.get() { 1 } else { rayon::current_thread_index().map_or(1, |_| rayon::current_num_threads()) }
}

thread_local! {
    static BUSY: Cell<usize> = const { Cell::new(1) };
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, whose kernels do all their blocks on this thread, because the pool's other threads have work of the same kind. A thread
/// that waited for its blocks could take up a second piece of that work, which would take more memory and delay the first. Results are
/// the same.
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    /// Restores the previous value, also after a panic.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(true));
    work()
}

/// Runs `work` and tells its kernels that `busy` threads of the pool, including this one, are busy. A kernel for which extra blocks are
/// costly is then split only for this thread's share of the pool. Results are the same.
pub fn with_busy_threads<T>(busy: usize, work: impl FnOnce() -> T) -> T {
    /// Restores the previous value. A thread that waits for its blocks may take up other work meanwhile.
    struct Before(usize);
    impl Drop for Before {
        fn drop(&mut self) {
            BUSY.set(self.0);
        }
    }
    let _before = Before(BUSY.replace(busy.max(1)));
    work()
}

/// Returns the number of threads for one kernel's blocks: all threads divided by the busy ones of [`with_busy_threads`], at least 1.
pub(crate) fn idle_threads() -> usize {
    (threads() / BUSY.get()).max(1)
}

/// An output that several blocks write to, each at its own positions.
#[derive(Clone, Copy)]
pub(crate) struct SharedOutput<'a, E = f32> {
    start: *mut E,
    length: usize,
    borrowed: std::marker::PhantomData<&'a mut [E]>,
}

// SAFETY: this is a mutable borrow of floats, which may move to another thread.
unsafe impl<E: Element> Send for SharedOutput<'_, E> {}
// SAFETY: it is only accessed through `at`, whose callers guarantee that no two blocks touch the same float.
unsafe impl<E: Element> Sync for SharedOutput<'_, E> {}

impl<'a, E> SharedOutput<'a, E> {
    pub fn new(output: &'a mut [E]) -> Self {
        Self { start: output.as_mut_ptr(), length: output.len(), borrowed: std::marker::PhantomData }
    }

    /// Returns a pointer to the `count` floats from `index`.
    ///
    /// # Safety
    /// They must be in bounds (checked in debug builds), and no other block may read or write them meanwhile.
    #[inline(always)]
    pub unsafe fn at(self, index: usize, count: usize) -> *mut E {
        debug_assert!(index + count <= self.length, "{index} + {count} of {}", self.length);
        // SAFETY: guaranteed by the caller.
        unsafe { self.start.add(index) }
    }
}

/// Returns a pointer to the `count` floats from `index`.
///
/// # Safety
/// They must be in bounds (checked in debug builds).
#[inline(always)]
pub(crate) unsafe fn at<E>(slice: &[E], index: usize, count: usize) -> *const E {
    debug_assert!(index + count <= slice.len(), "{index} + {count} of {}", slice.len());
    // SAFETY: guaranteed by the caller.
    unsafe { slice.as_ptr().add(index) }
}

/// [`at`] for writing.
///
/// # Safety
/// The floats must be in bounds (checked in debug builds).
#[inline(always)]
pub(crate) unsafe fn at_mut<E>(slice: &mut [E], index: usize, count: usize) -> *mut E {
    debug_assert!(index + count <= slice.len(), "{index} + {count} of {}", slice.len());
    // SAFETY: guaranteed by the caller.
    unsafe { slice.as_mut_ptr().add(index) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that can't run should say where")]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_cut_for_threads_that_have_nothing_to_do() {
        assert_eq!(idle_threads(), 1, "no pool");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        pool.install(|| {
            assert_eq!(idle_threads(), 4);
            with_busy_threads(2, || {
                assert_eq!(idle_threads(), 2);
                assert_eq!(with_busy_threads(9, idle_threads), 1);
                assert_eq!(idle_threads(), 2);
            });
            assert_eq!(with_busy_threads(0, idle_threads), 4);
            assert_eq!(alone(threads), 1);
            assert_eq!(threads(), 4);
        });
    }
}
