//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The system's allocator for a test program, with a limit. Who asks for more is held until the watch has ended the program:
/// memory that isn't there would end it without a word.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static EXCEEDED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_WATCH: Cell<bool> = const { Cell::new(false) };
}

/// This thread is never held.
pub(crate) fn never_hold_this_thread() {
    IS_WATCH.set(true);
}

/// Does some work that may use so many bytes more than are used now. Returns how many more it used at most.
pub(crate) fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Relaxed);
    MOST.store(before, Relaxed);
    LIMIT.store(before.saturating_add(bytes), Relaxed);
    let done = work();
    LIMIT.store(usize::MAX, Relaxed);
    (done, MOST.load(Relaxed).saturating_sub(before))
}

/// Whether somebody is held.
pub(crate) fn is_exceeded() -> bool {
    EXCEEDED.load(Relaxed)
}

fn take(bytes: usize) {
    let used = USED.fetch_add(bytes, Relaxed).saturating_add(bytes);
    MOST.fetch_max(used, Relaxed);
    // What a panic's message and its backtrace need, and keep for the next one, is no input's.
    if std::thread::panicking() {
        let _ = LIMIT.fetch_update(Relaxed, Relaxed, |limit| Some(limit.saturating_add(bytes)));
        return;
    }
    // A thread that is ending has no such variable any more, and asks for little.
    if used > LIMIT.load(Relaxed) && !IS_WATCH.try_with(Cell::get).unwrap_or(true) {
        EXCEEDED.store(true, Relaxed);
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

fn give_back(bytes: usize) {
    USED.fetch_sub(bytes, Relaxed);
}

// SAFETY: the system's allocator does the work; what is counted beside it allocates nothing.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give_back(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
