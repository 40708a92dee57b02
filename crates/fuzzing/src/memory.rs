//! A counting allocator with a limit.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The system's allocator for a test program, with a limit. A thread that asks for more is blocked until the watchdog has ended
/// the program; really running out of memory would end it without a message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static EXCEEDED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_WATCHDOG: Cell<bool> = const { Cell::new(false) };
}

/// Exempts this thread from blocking.
pub(crate) fn exempt_this_thread() {
    IS_WATCHDOG.set(true);
}

/// Runs `work` with at most `bytes` more memory than is used now. Returns its peak usage beyond that.
pub(crate) fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    LIMIT.store(before.saturating_add(bytes), Relaxed);
    let done = work();
    LIMIT.store(usize::MAX, Relaxed);
    (done, PEAK.load(Relaxed).saturating_sub(before))
}

/// Returns whether a thread is blocked.
pub(crate) fn is_exceeded() -> bool {
    EXCEEDED.load(Relaxed)
}

fn add(bytes: usize) {
    let used = USED.fetch_add(bytes, Relaxed).saturating_add(bytes);
    PEAK.fetch_max(used, Relaxed);
    // The memory that a panic's message and backtrace take, and cache for the next one, isn't charged to the input.
    if std::thread::panicking() {
        let _ = LIMIT.fetch_update(Relaxed, Relaxed, |limit| Some(limit.saturating_add(bytes)));
        return;
    }
    // The variable is gone in a thread that is ending, which allocates little.
    if used > LIMIT.load(Relaxed) && !IS_WATCHDOG.try_with(Cell::get).unwrap_or(true) {
        EXCEEDED.store(true, Relaxed);
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

fn subtract(bytes: usize) {
    USED.fetch_sub(bytes, Relaxed);
}

// SAFETY: the system's allocator does the work; the counting allocates nothing.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: upheld by the caller, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        subtract(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
