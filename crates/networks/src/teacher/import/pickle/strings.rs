//! Decodes Python's strings.

use std::rc::Rc;

use super::malformed;
use crate::teacher::WeightFileError;

/// Decodes a string's bytes. Names of weights are ASCII, so anything that isn't UTF-8 isn't one.
pub(super) fn text(bytes: &[u8]) -> Rc<str> {
    String::from_utf8_lossy(bytes).into()
}

/// Decodes a string written by Python's `repr`: quoted, with backslash escapes.
///
/// # Errors
/// If it isn't quoted, or ends within an escape.
pub(super) fn quoted(line: &[u8]) -> Result<Rc<str>, WeightFileError> {
    let [quote @ (b'\'' | b'"'), inner @ .., end] = line else { return Err(malformed()) };
    if quote != end {
        return Err(malformed());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'\\' => match rest.next().ok_or_else(malformed)? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                    let (high, low) = digit().zip(digit()).ok_or_else(malformed)?;
                    (high * 16 + low) as u8
                }
                escaped => escaped,
            },
            byte => byte,
        };
        bytes.push(plain);
    }
    Ok(text(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_what_they_stand_for() {
        let read = |line: &[u8]| quoted(line).map(|text| text.to_string());
        assert_eq!(read(b"'conv1.weight'").unwrap(), "conv1.weight");
        assert_eq!(read(br#""it's""#).unwrap(), "it's");
        assert_eq!(read(br"'a\\b\'c\n\x41'").unwrap(), "a\\b'c\nA");
        for wrong in [&b"conv1"[..], b"'conv1", b"'conv1\"", b"'", b"", br"'\x4'", br"'\'"] {
            assert!(read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
