//! The name of a record.

use std::cmp::Ordering;

/// Longer texts are no names.
const MAX_LENGTH: usize = 64;

/// A name `YYYYMMDD-HHMMSS-RUN-PART`, with `-FRAME` for all but a part's first frame. It has digits and hyphens alone, so as a
/// path it leads nowhere else. Ordered by run, part and frame: the clock of a board may jump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordName {
    text: String,
    order: (u64, u64, u64),
}

impl RecordName {
    /// Reads a name; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split('-').collect();
        let (stamp, numbers) = fields.split_at_checked(2)?;
        let lengths = stamp.iter().map(|field| field.len());
        let are_digits =
            fields.iter().all(|field| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit()));
        if text.len() > MAX_LENGTH || !lengths.eq([8, 6]) || !are_digits {
            return None;
        }
        let mut numbers = numbers.iter().map(|number| number.parse::<u64>());
        let order =
            (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next().transpose().ok()?.unwrap_or(1));
        numbers.next().is_none().then(|| Self { text: text.to_owned(), order })
    }

    /// Returns the name's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Ord for RecordName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for RecordName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nothing_else_is_one() {
        for text in ["20261125-030101-000012-00000345", "19700101-000003-000001-00000001-2"] {
            assert_eq!(RecordName::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            ".",
            "..",
            "passed",
            "20261125-030101",
            "20261125-030101-000012",
            "20261125-030101-000012-00000345-1-1",
            "20261125-030101-000012-00000345-",
            "20261125-030101-+00012-00000345",
            "20261125-030101-000012-00000345/../..",
            "20261125-030101-000012-99999999999999999999999",
            "20261125-030101-000012-0000034５",
            "2026-11250301-000012-00000345",
        ] {
            assert_eq!(RecordName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn run_and_part_tell_which_is_older() {
        let name = |text| RecordName::parse(text).unwrap();
        assert!(name("20990101-000000-000001-00000009") < name("19700101-000000-000002-00000001"));
        assert!(name("19700101-000000-999999-00000001") < name("19700101-000000-1000000-00000001"));
        assert!(name("19700101-000000-000002-00000001") < name("19700101-000000-000002-00000001-2"));
    }
}
