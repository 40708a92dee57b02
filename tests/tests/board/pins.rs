//! The board's output pins, observed from outside: QEMU's record of every change of its GPIO chip, a PL061.

use std::path::{Path, PathBuf};

/// A pin that changed its level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Seconds since 1970.
    pub at: f64,
    /// Line of the chip.
    pub line: u32,
    /// The new level.
    pub high: bool,
}

/// QEMU's record.
pub struct Pins(PathBuf);

impl Pins {
    /// Opens the record in this file.
    pub fn of(file: &Path) -> Self {
        Self(file.to_owned())
    }

    /// Returns all changes so far.
    pub fn changes(&self) -> Vec<Change> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        // The last line may be half-written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().filter_map(parse).collect()
    }

    /// Returns the rising edges of these lines after that position in the record, in order.
    pub fn pulses(&self, after: usize, lines: &[u32]) -> Vec<u32> {
        let changes = self.changes();
        let rising = changes.iter().skip(after).filter(|change| change.high && lines.contains(&change.line));
        rising.map(|change| change.line).collect()
    }
}

/// Parses a line such as `4711@1700000000.123456:pl061_set_output 9030000.pl061 setting output 5 to 1`.
fn parse(line: &str) -> Option<Change> {
    let (stamp, event) = line.split_once(":pl061_set_output ")?;
    let at = stamp.split_once('@')?.1.parse().ok()?;
    let (line, level) = event.split_once("setting output ")?.1.split_once(" to ")?;
    Some(Change { at, line: line.trim().parse().ok()?, high: level.trim() == "1" })
}

#[test]
fn a_record_is_read() {
    let line = "4711@1700000000.250000:pl061_set_output pl061 setting output 5 to 1";
    assert_eq!(parse(line), Some(Change { at: 1_700_000_000.25, line: 5, high: true }));
    assert_eq!(parse("4711@1.0:pl061_write pl061 offset 3fc"), None);
}
