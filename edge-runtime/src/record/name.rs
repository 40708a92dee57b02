//! The name of a record's folder.

use std::fmt;

use crate::clock::WallTime;
use crate::part::PartNumber;

/// A name `YYYYMMDD-HHMMSS-RUN-PART`, with `-FRAME` for all but a part's first frame. Ordered by run, part and frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    /// The number of the run.
    pub run: u64,
    /// The number of the part within the run.
    pub part: PartNumber,
    /// The number of the frame within the part, from 1.
    pub frame: u16,
    /// When the frame was captured, by the wall clock.
    pub captured: WallTime,
}

impl RecordName {
    /// Parses the output of `Display`; `None` for any other text, so that foreign folders are left alone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stamp, rest) = text.split_at_checked(15)?;
        let mut numbers = rest.strip_prefix('-')?.split('-');
        let name = Self {
            run: numbers.next()?.parse().ok()?,
            part: numbers.next()?.parse().ok()?,
            frame: numbers.next().map_or(Some(1), |frame| frame.parse().ok())?,
            captured: WallTime::parse(stamp)?,
        };
        (name.to_string() == text).then_some(name)
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06}-{:08}", self.captured.stamp(), self.run, self.part)?;
        if self.frame == 1 { Ok(()) } else { write!(f, "-{}", self.frame) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_no_others() {
        for text in [
            "20261125-030101-000012-00000345",
            "19700101-000003-000001-00000001-2",
            "20261125-030101-18446744073709551615-18446744073709551615-65535",
        ] {
            assert_eq!(RecordName::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "20261125-030101",
            "20261125-030101-12-345",
            "20261125-030101-000012-00000345-1",
            "20261125-030101-000012-00000345-2-3",
            "20261125-030101-000012-00000345.old",
            "20261325-030101-000012-00000345",
            "20261125-030101-+00012-00000345",
            "holiday photos",
            "2026112é-030101-000012-00000345",
        ] {
            assert_eq!(RecordName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn run_and_part_tell_which_is_older_whatever_the_clock_said() {
        let name = |text| RecordName::parse(text).unwrap();
        let in_order = [
            name("20990101-000000-000001-00000009"),
            name("19700101-000000-000002-00000001"),
            name("19700101-000000-000002-00000002-2"),
            name("20261125-030101-000002-00000010"),
            name("20261125-030101-1000000-00000001"),
        ];
        assert!(in_order.is_sorted());
    }
}
