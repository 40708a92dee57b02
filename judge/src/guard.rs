//! Turns a panic in a dependency into an error.
//!
//! Needed because tract sometimes indexes without checking: for example, it panics on a parsable ONNX file whose graph
//! output no node produces. On the line, a panic would stop the program where a `fault` verdict is due.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// How many calls of [`guarded`] this thread is inside.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The message of a panic that [`guarded`] caught.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CaughtPanic(pub String);

/// Runs `work`; a panic becomes an error with the panic's message.
///
/// The caller must discard whatever `work` was changing when it panicked.
///
/// # Errors
/// The panic.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        CaughtPanic(text.unwrap_or("no message").to_owned())
    })
}

/// Returns whether this thread is inside [`guarded`], so that a panic becomes an error that is reported. For a panic
/// hook.
#[must_use]
pub fn is_guarded() -> bool {
    // The thread-local values of a thread that is ending may already be gone.
    DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{CaughtPanic, guarded, is_guarded};

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        let empty: [u8; 0] = std::hint::black_box([]);
        let CaughtPanic(message) = guarded(|| empty[std::hint::black_box(4)]).unwrap_err();
        assert!(message.contains("out of bounds"), "{message}");
    }

    #[test]
    fn a_thread_is_guarded_until_the_outermost_call_ends() {
        assert!(!is_guarded());
        let inner = guarded(|| guarded(|| panic!("inner")).is_err() && is_guarded());
        assert_eq!(inner, Ok(true));
        assert!(guarded(|| panic!("outer")).is_err());
        assert!(!is_guarded());
    }
}
