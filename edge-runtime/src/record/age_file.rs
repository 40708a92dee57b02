//! The age clock on disk, beside the records: its last reading, and how far the wall clock was ahead when each record was
//! written.
//!
//! The file is text. The first line holds the wall clock's last reading and the seconds by which it is ahead; each further
//! line holds a record's name and the seconds by which it was ahead from that record on.

use std::io;
use std::path::Path;

use bundle::atomic::write_file;
use judge::read_regular_file;

use super::RecordName;
use super::age::AgeClock;
use crate::clock::WallTime;

/// The file's name: hidden, and not a valid record name.
pub const NAME: &str = ".clock";
/// A limit far beyond any plausible number of jumps.
const MAX_BYTES: u64 = 1 << 20;

/// The seconds by which the clock was ahead, and the record from which on this holds; oldest first.
#[derive(Debug)]
pub struct ClockJumps(Vec<(RecordName, i64)>);

impl ClockJumps {
    /// Collects the jumps from records in order, each with the seconds by which the clock was ahead.
    pub fn of(records: impl Iterator<Item = (RecordName, i64)>) -> Self {
        let mut jumps: Vec<(RecordName, i64)> = vec![];
        for (name, ahead) in records {
            if jumps.last().is_none_or(|(_, before)| *before != ahead) {
                jumps.push((name, ahead));
            }
        }
        Self(jumps)
    }

    /// Returns the seconds by which the clock was ahead when a record was written.
    pub fn at(&self, name: RecordName) -> i64 {
        let up_to = self.0.partition_point(|(from, _)| *from <= name);
        up_to.checked_sub(1).and_then(|last| self.0.get(last)).map_or(0, |(_, ahead)| *ahead)
    }
}

/// Saves the clock in a folder of records.
pub fn write(folder: &Path, clock: &AgeClock, jumps: &ClockJumps) -> io::Result<()> {
    let Some(seen) = clock.seen else { return Ok(()) };
    let mut text = format!("{} {}\n", seen.stamp(), clock.ahead);
    for (name, ahead) in &jumps.0 {
        text += &format!("{name} {ahead}\n");
    }
    write_file(&folder.join(NAME), text.as_bytes())
}

/// Reads the clock from a folder of records; `None` if the file is missing or invalid.
pub fn read(folder: &Path) -> Option<(AgeClock, ClockJumps)> {
    let bytes = read_regular_file(&folder.join(NAME), MAX_BYTES).ok()?;
    let mut lines = std::str::from_utf8(&bytes).ok()?.lines();
    let (seen, ahead) = lines.next()?.split_once(' ')?;
    let clock = AgeClock::new(Some(WallTime::parse(seen)?), ahead.parse().ok()?);
    let jump = |line: &str| {
        let (name, ahead) = line.split_once(' ')?;
        Some((RecordName::parse(name)?, ahead.parse().ok()?))
    };
    let mut jumps = lines.map(jump).collect::<Option<Vec<_>>>()?;
    jumps.sort();
    Some((clock, ClockJumps(jumps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(part: u64) -> RecordName {
        RecordName { run: 3, part, frame: 1, captured: WallTime::parse("20261125-030000").unwrap() }
    }

    #[test]
    fn each_record_finds_what_belongs_to_it_again() {
        let root = tempfile::tempdir().unwrap();
        let records = [(4, 0), (5, 0), (6, 900), (7, 900), (8, -50)].map(|(part, ahead)| (name(part), ahead));
        let clock = AgeClock::new(Some(WallTime::parse("20261126-000000").unwrap()), -50);
        write(root.path(), &clock, &ClockJumps::of(records.into_iter())).unwrap();
        let (read_back, jumps) = read(root.path()).unwrap();
        assert_eq!((read_back, jumps.0.len()), (clock, 3));
        for (name, ahead) in records {
            assert_eq!(jumps.at(name), ahead, "{name}");
        }
        assert_eq!((jumps.at(name(1)), jumps.at(name(99))), (0, -50));
    }

    #[test]
    fn anything_else_is_no_clock() {
        let root = tempfile::tempdir().unwrap();
        assert!(read(root.path()).is_none());
        for wrong in ["", "20261126-000000", "now 0", "20261126-000000 0\nnobody 1", "20261126-000000 x"] {
            std::fs::write(root.path().join(NAME), wrong).unwrap();
            assert!(read(root.path()).is_none(), "{wrong:?}");
        }
    }
}
