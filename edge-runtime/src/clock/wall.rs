//! The wall clock, in UTC and for people only: it jumps, and a board without a battery starts in 1970. Ordering uses run
//! and part numbers instead, and timing uses [`crate::clock::Moment`].

use std::fmt;
use std::ops::{Add, Range};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use crate::clock::Moment;

/// 2024-01-01: a clock that shows an earlier time was never set.
const FIRST_PLAUSIBLE: u64 = 1_704_067_200;
/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(u64);

impl WallTime {
    /// Returns the current time.
    #[must_use]
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// Returns what the clock showed at `moment`, based on what it shows now.
    #[must_use]
    pub fn at(moment: Moment) -> Self {
        let ago = Moment::now().since(moment);
        Self::of(SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH))
    }

    fn of(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST))
    }

    /// Returns whether the clock that showed this time was ever set.
    #[must_use]
    pub const fn is_set(self) -> bool {
        self.0 >= FIRST_PLAUSIBLE
    }

    /// Returns the seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        // Even the year 9999 is less than 2^38 seconds away.
        self.0.cast_signed()
    }

    /// Formats the time as `YYYYMMDD-HHMMSS`, for file names.
    #[must_use]
    pub fn stamp(self) -> String {
        let t = self.date_time();
        let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
        format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", t.hour(), t.minute(), t.second())
    }

    /// Parses the output of [`Self::stamp`]; `None` if the text is not in that format.
    #[must_use]
    pub fn parse(stamp: &str) -> Option<Self> {
        let (date, time) = stamp.split_once('-')?;
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(date, 8) || !digits(time, 6) {
            return None;
        }
        let part = |text: &str, range: Range<usize>| -> Option<u8> { text.get(range)?.parse().ok() };
        let month = Month::try_from(part(date, 4..6)?).ok()?;
        let day = Date::from_calendar_date(date.get(..4)?.parse().ok()?, month, part(date, 6..8)?).ok()?;
        let time = Time::from_hms(part(time, 0..2)?, part(time, 2..4)?, part(time, 4..6)?).ok()?;
        let seconds = PrimitiveDateTime::new(day, time).assume_utc().unix_timestamp();
        u64::try_from(seconds).ok().map(Self)
    }

    /// Reads a time as people write it, in UTC: `2026-11-25`, `2026-11-25T03:01`, the output of `Display`, or a stamp. `None`
    /// for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_separator = |c: char| "-:TZ ".contains(c);
        let digits: String = text.chars().filter(|c| !is_separator(*c)).collect();
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_digit());
        if !starts_well || text.len() > 20 || !matches!(digits.len(), 8 | 12 | 14) {
            return None;
        }
        let (date, time) = digits.split_at_checked(8)?;
        Self::parse(&format!("{date}-{time:0<6}"))
    }

    fn date_time(self) -> OffsetDateTime {
        // Times are capped at the last one whose year has four digits.
        let seconds = i64::try_from(self.0).unwrap_or(0);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()).min(LAST))
    }
}

impl fmt::Display for WallTime {
    /// Formats the time as `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.date_time();
        let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", t.hour(), t.minute(), t.second())
    }
}

impl serde::Serialize for WallTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for WallTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_back() {
        for (seconds, stamp, text) in [
            (0, "19700101-000000", "1970-01-01T00:00:00Z"),
            (1_709_210_096, "20240229-123456", "2024-02-29T12:34:56Z"),
            (LAST, "99991231-235959", "9999-12-31T23:59:59Z"),
        ] {
            let time = WallTime(seconds);
            assert_eq!((time.stamp().as_str(), time.to_string().as_str()), (stamp, text));
            assert_eq!(WallTime::parse(stamp), Some(time));
        }
        for wrong in [
            "",
            "-",
            "20240230-000000",
            "20241301-000000",
            "20240101-240000",
            "2024010١-00000",
            "00000000-000000",
        ] {
            assert_eq!(WallTime::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, stamp) in [
            ("2026-11-25", "20261125-000000"),
            ("2026-11-25T03:01", "20261125-030100"),
            ("2026-11-25 03:01:09", "20261125-030109"),
            ("2026-11-25T03:01:09Z", "20261125-030109"),
            ("20261125-030109", "20261125-030109"),
        ] {
            assert_eq!(WallTime::read(text).map(WallTime::stamp).as_deref(), Some(stamp), "{text}");
        }
        for wrong in ["", "yesterday", "2026", "2026-13-01", "-20261125", "2026-11-25T25:00", "٢٠٢٦-11-25"]
        {
            assert_eq!(WallTime::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_clock_in_1970_was_never_set() {
        assert!(!WallTime(50).is_set() && !WallTime(FIRST_PLAUSIBLE - 1).is_set());
        assert!(WallTime::now().is_set() && WallTime(LAST).is_set());
    }

    #[test]
    fn a_moment_has_a_wall_time() {
        let now = WallTime::now();
        assert!(now >= WallTime::at(Moment::now() - Duration::from_secs(2)));
        assert!(WallTime::at(Moment::now()) >= now);
        assert_eq!(WallTime::of(UNIX_EPOCH - Duration::from_secs(9)), WallTime(0));
        assert_eq!(WallTime::of(UNIX_EPOCH + Duration::from_secs(u64::MAX / 4)), WallTime(LAST));
    }
}
