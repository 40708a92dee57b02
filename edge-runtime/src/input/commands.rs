//! Parses bytes from the serial port into commands. `docs/serial.md` specifies the grammar.

use std::fmt;

/// Maximum length of a line in bytes, without its ending: room for `P` and the longest possible product name.
pub const MAX_LINE: usize = 66;

/// A command from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'l> {
    /// `T`: a part is in front of the camera.
    Trigger,
    /// `E COUNT`: the encoder is at this count.
    Encoder(u32),
    /// `P NAME`: the parts that follow are of this product.
    Product(&'l str),
    /// `C`: known-bad parts follow.
    Challenge,
    /// `A`: the alarms are acknowledged.
    Acknowledge,
    /// `?`: asks for the status.
    Status,
}

/// Reason why a line isn't a valid command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// Too long, or not printable UTF-8: noise on the wire that gets no answer.
    Garbage,
    /// Readable, but not understood; holds the text of the answer.
    Refused(&'static str),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage => f.write_str("not a line of text"),
            Self::Refused(text) => f.write_str(text),
        }
    }
}

/// Parses a line as a command.
///
/// # Errors
/// [`CommandError`].
pub fn parse(line: &[u8]) -> Result<Command<'_>, CommandError> {
    let text = std::str::from_utf8(line).map_err(|_| CommandError::Garbage)?;
    if text.chars().any(char::is_control) {
        return Err(CommandError::Garbage);
    }
    let mut words = text.split_ascii_whitespace();
    let (word, argument, more) = (words.next().unwrap_or_default(), words.next(), words.next());
    if more.is_some() {
        return Err(CommandError::Refused("too many words; give a command and at most one argument"));
    }
    match (word, argument) {
        ("E", Some(count)) => {
            let count =
                count.parse().map_err(|_| CommandError::Refused("E needs a count from 0 to 4294967295"))?;
            Ok(Command::Encoder(count))
        }
        ("P", Some(name)) => Ok(Command::Product(name)),
        ("E", None) => Err(CommandError::Refused("E needs a count, such as E 1200")),
        ("P", None) => Err(CommandError::Refused("P needs a product name")),
        ("T", None) => Ok(Command::Trigger),
        ("C", None) => Ok(Command::Challenge),
        ("A", None) => Ok(Command::Acknowledge),
        ("?", None) => Ok(Command::Status),
        ("T" | "C" | "A" | "?", Some(_)) => Err(CommandError::Refused("this command takes no argument")),
        _ => Err(CommandError::Refused("unknown command; give T, E COUNT, P NAME, C, A or ?")),
    }
}

/// Splits a stream of bytes into lines, each ended by carriage return, line feed or both.
#[derive(Debug, Clone)]
pub struct LineSplitter {
    line: [u8; MAX_LINE],
    /// Bytes since the last line ending, including those that didn't fit.
    len: usize,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self { line: [0; MAX_LINE], len: 0 }
    }
}

impl LineSplitter {
    /// Takes the next byte and returns the line that it ends, if any. Empty lines are ignored; one that is too long is
    /// [`CommandError::Garbage`].
    pub fn push(&mut self, byte: u8) -> Option<Result<&[u8], CommandError>> {
        if !matches!(byte, b'\r' | b'\n') {
            if let Some(slot) = self.line.get_mut(self.len) {
                *slot = byte;
            }
            self.len = self.len.saturating_add(1);
            return None;
        }
        let len = std::mem::take(&mut self.len);
        match self.line.get(..len) {
            Some([]) => None,
            Some(line) => Some(Ok(line)),
            None => Some(Err(CommandError::Garbage)),
        }
    }

    /// Discards the partial line.
    pub const fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines in a stream, as text.
    fn lines(bytes: &[u8]) -> Vec<Result<String, CommandError>> {
        let mut lines = LineSplitter::default();
        let mut found = vec![];
        for byte in bytes {
            if let Some(line) = lines.push(*byte) {
                found.push(line.map(|line| String::from_utf8_lossy(line).into_owned()));
            }
        }
        found
    }

    #[test]
    fn commands_are_read() {
        for (line, command) in [
            ("T", Command::Trigger),
            ("E 0", Command::Encoder(0)),
            ("E 4294967295", Command::Encoder(u32::MAX)),
            ("P cap-500", Command::Product("cap-500")),
            ("P Glühlampe", Command::Product("Glühlampe")),
            ("C", Command::Challenge),
            (" A ", Command::Acknowledge),
            ("?", Command::Status),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_readable_but_wrong_is_answered() {
        for line in
            ["E", "E x", "E -1", "E 4294967296", "E 1 2", "P", "P a b", "T 1", "? ?", "t", "TRIGGER", " "]
        {
            assert!(matches!(parse(line.as_bytes()), Err(CommandError::Refused(_))), "{line}");
        }
        for noise in [&b"T\0"[..], b"\xff\xfeT", b"T\t", b"T\x7f"] {
            assert_eq!(parse(noise), Err(CommandError::Garbage));
        }
    }

    #[test]
    fn lines_end_as_any_system_ends_them() {
        let expected = [Ok("T".to_owned()), Ok("E 1".to_owned()), Ok("A".to_owned())];
        assert_eq!(lines(b"T\r\nE 1\nA\r"), expected);
        assert_eq!(lines(b"\n\r\n\nT"), []);
    }

    #[test]
    fn a_line_too_long_is_garbage_and_the_next_is_read() {
        let longest = "P ".to_owned() + &"x".repeat(MAX_LINE - 2);
        let text = format!("{longest}\n{longest}y\nT\n");
        assert_eq!(lines(text.as_bytes()), [Ok(longest), Err(CommandError::Garbage), Ok("T".to_owned())]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut lines = LineSplitter::default();
            for byte in bytes {
                if let Some(Ok(line)) = lines.push(byte) {
                    prop_assert!(line.len() <= MAX_LINE);
                    let _ = parse(line);
                }
            }
        }
    }
}
