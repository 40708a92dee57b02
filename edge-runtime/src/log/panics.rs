//! A panic hook that sends messages to the log.
//!
//! The standard library's hook writes to standard error and waits for its reader. A line can't afford that: a reader that
//! has stopped would block the panicking thread forever, and the gate thread before it has driven the safe state.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use super::limited;

/// The number of characters of a message that are kept: some messages hold whole tensors.
const MAX_CHARS: usize = 300;

thread_local! {
    /// Whether a caller on this thread catches panics and reports them.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// The message of the last panic, for that caller to report.
    static LAST_MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Replaces the standard library's hook for the whole process. Messages go to the non-blocking log, at most every ten
/// seconds; panics that [`catch`] or [`judge::guarded`] turns into errors are reported by their callers. Only while there
/// is no log, a panic that would otherwise go unreported is written to standard error.
pub fn install() {
    std::panic::set_hook(Box::new(hook));
}

fn hook(panic: &PanicHookInfo<'_>) {
    let message = describe(panic);
    if IS_CAUGHT.try_with(Cell::get).unwrap_or(false) {
        // Before anything that might wait: this may be the gate thread.
        let _ = LAST_MESSAGE.try_with(|kept| kept.try_borrow_mut().map(|mut kept| *kept = Some(message)));
        return;
    }
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    if !tracing::dispatcher::has_been_set() {
        if !judge::is_guarded() {
            let _ = writeln!(std::io::stderr(), "error: the thread {name} panicked: {message}; report this");
        }
    } else if judge::is_guarded() {
        // A separate call site: frequent damaged frames must not hide the message that a thread has ended.
        limited!(warn, "the thread {name} caught a panic: {message}");
    } else {
        limited!(error, "the thread {name} panicked: {message}; report this");
    }
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let message: String = text_of(panic.payload()).chars().take(MAX_CHARS).collect();
    match panic.location() {
        Some(location) => format!("{message} ({}:{})", location.file(), location.line()),
        None => message,
    }
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// A panic that was caught and not yet reported.
pub struct UnreportedPanic {
    message: String,
    /// The panic's payload, for [`std::panic::resume_unwind`].
    pub payload: Box<dyn Any + Send>,
}

impl fmt::Display for UnreportedPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for UnreportedPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({})", self.message)
    }
}

/// Runs `work`. A panic is not reported but handed to the caller, which can do more urgent things first.
///
/// The caller must discard whatever `work` was changing when it panicked.
///
/// # Errors
/// The panic, if `work` panicked.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, UnreportedPanic> {
    let before = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(before);
    result.map_err(|payload| {
        // Another hook, as in tests, stores no message.
        let message =
            LAST_MESSAGE.take().unwrap_or_else(|| text_of(&*payload).chars().take(MAX_CHARS).collect());
        UnreportedPanic { message, payload }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_is_handed_over_with_its_message() {
        assert_eq!(catch(|| 3).unwrap(), 3);
        let panic = catch(|| panic!("part {}", std::hint::black_box(7))).unwrap_err();
        assert!(panic.to_string().starts_with("part 7"), "{panic}");
        assert_eq!(panic.payload.downcast_ref::<String>().unwrap(), "part 7");
        assert!(!IS_CAUGHT.get());
    }

    #[test]
    fn a_long_message_is_cut() {
        let panic = catch(|| std::panic::panic_any("é".repeat(100_000))).unwrap_err();
        assert!(panic.to_string().chars().count() < MAX_CHARS + 200);
        assert_eq!(
            catch(|| std::panic::panic_any(5u8)).unwrap_err().to_string().split(" (").next(),
            Some("no message")
        );
    }
}
