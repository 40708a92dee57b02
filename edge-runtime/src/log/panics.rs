//! What becomes of panic messages.
//!
//! The standard library's hook writes them to standard error and waits for whoever reads that. On the line nobody may: a
//! reader that has stopped would keep the thread that panicked for ever, the gate's before it has driven the safe state.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use super::limited;

/// Characters of a message that are kept: some hold whole tensors.
const MOST: usize = 300;

thread_local! {
    /// Whether somebody on this thread catches panics and tells them.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// What the last panic said that is to be told by that somebody.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Replaces the standard library's hook for the whole process. Messages go to the log, which nobody waits for, at most every
/// ten seconds; those that [`caught`] or [`judge::guarded`] turns into errors are told by whoever called these. Only while
/// there is no log a panic of which nobody else would tell is written to standard error.
pub fn install() {
    std::panic::set_hook(Box::new(hook));
}

fn hook(panic: &PanicHookInfo<'_>) {
    let said = describe(panic);
    if CAUGHT.try_with(Cell::get).unwrap_or(false) {
        // Before anything that might wait: this may be the gate's thread.
        let _ = SAID.try_with(|kept| kept.try_borrow_mut().map(|mut kept| *kept = Some(said)));
        return;
    }
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    if !tracing::dispatcher::has_been_set() {
        if !judge::is_guarded() {
            let _ = writeln!(std::io::stderr(), "error: the thread {name} failed: {said}; report this");
        }
    } else if judge::is_guarded() {
        // A place of its own: damaged frames by the second must not hide that a thread has ended.
        limited!(warn, "the thread {name} has caught a failure: {said}");
    } else {
        limited!(error, "the thread {name} failed: {said}; report this");
    }
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let message: String = text_of(panic.payload()).chars().take(MOST).collect();
    match panic.location() {
        Some(place) => format!("{message} ({}:{})", place.file(), place.line()),
        None => message,
    }
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// A panic that was caught and not yet told.
pub struct Panic {
    said: String,
    /// What it was raised with, for [`std::panic::resume_unwind`].
    pub payload: Box<dyn Any + Send>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({})", self.said)
    }
}

/// Runs `work`. A panic is told nobody, but handed to the caller, who does first what comes first.
///
/// The caller must throw away whatever `work` was changing when it panicked.
///
/// # Errors
/// The panic.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    let before = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(before);
    result.map_err(|payload| {
        // Another hook, as in tests, keeps nothing.
        let said = SAID.take().unwrap_or_else(|| text_of(&*payload).chars().take(MOST).collect());
        Panic { said, payload }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_panic_is_handed_over_with_its_message() {
        assert_eq!(caught(|| 3).unwrap(), 3);
        let panic = caught(|| panic!("part {}", std::hint::black_box(7))).unwrap_err();
        assert!(panic.to_string().starts_with("part 7"), "{panic}");
        assert_eq!(panic.payload.downcast_ref::<String>().unwrap(), "part 7");
        assert!(!CAUGHT.get());
    }

    #[test]
    fn a_long_message_is_cut() {
        let panic = caught(|| std::panic::panic_any("é".repeat(100_000))).unwrap_err();
        assert!(panic.to_string().chars().count() < MOST + 200);
        assert_eq!(
            caught(|| std::panic::panic_any(5u8)).unwrap_err().to_string().split(" (").next(),
            Some("no message")
        );
    }
}
