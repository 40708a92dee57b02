//! Turns a panic in a dependency into an error.
//!
//! Needed because tract indexes instead of checking in places: a parsable ONNX file whose graph output no node
//! produces, for example, panics there. On the line, a panic would stop the program where a verdict `fault` is due.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic becomes `Err` with its message.
///
/// The caller must throw away whatever `work` was changing when it panicked.
///
/// # Errors
/// The panic's message.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        let empty: [u8; 0] = std::hint::black_box([]);
        let message = guarded(|| empty[std::hint::black_box(4)]).unwrap_err();
        assert!(message.contains("out of bounds"), "{message}");
    }
}
