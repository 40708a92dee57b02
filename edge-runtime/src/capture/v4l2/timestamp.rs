//! Determines when a filled buffer was captured.

use std::time::Duration;

use crate::clock::Moment;

/// A timestamp older than this when its frame arrives is not from the monotonic clock.
const MAX_AGE: Duration = Duration::from_secs(15);

/// A driver's timestamp, from any clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct DriverTimestamp {
    pub(super) seconds: i64,
    pub(super) micros: i64,
    /// Whether the driver states its source: `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC` or `_COPY`.
    pub(super) is_given: bool,
}

impl DriverTimestamp {
    fn moment(self) -> Option<Moment> {
        let (seconds, micros) = (u64::try_from(self.seconds).ok()?, u64::try_from(self.micros).ok()?);
        seconds.checked_mul(1_000_000_000)?.checked_add(micros.checked_mul(1000)?).map(Moment)
    }
}

/// Converts the driver's timestamps and tracks whether they are usable.
#[derive(Debug, Default)]
pub(super) struct TimestampConverter {
    is_useless: bool,
}

impl TimestampConverter {
    /// Returns the driver's capture time if it is from the monotonic clock; otherwise `arrival`, which is later by the time
    /// that readout and transfer take.
    pub(super) fn captured_at(&mut self, stamp: DriverTimestamp, arrival: Moment) -> Moment {
        // A copied timestamp may be from any clock. Drivers truncate nanoseconds, so a timestamp is never later than arrival.
        let is_plausible = |at: &Moment| stamp.is_given && *at <= arrival && arrival.since(*at) <= MAX_AGE;
        let captured_at = stamp.moment().filter(is_plausible);
        self.is_useless = captured_at.is_none();
        captured_at.unwrap_or(arrival)
    }

    /// Returns a warning if the timestamps are unusable.
    pub(super) const fn warning(&self) -> Option<&'static str> {
        if self.is_useless {
            Some(
                "the camera's driver gives no capture times on the monotonic clock; arrival times are used instead, which \
                 are later: lengthen trigger.exposure_delay_ms by the time for readout and transfer",
            )
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stamp(seconds: i64, micros: i64) -> DriverTimestamp {
        DriverTimestamp { seconds, micros, is_given: true }
    }

    #[test]
    fn monotonic_stamps_are_taken_as_they_are() {
        let mut converter = TimestampConverter::default();
        let arrival = Moment(7_123_500_000);
        assert_eq!(converter.captured_at(stamp(7, 100_250), arrival), Moment(7_100_250_000));
        assert_eq!(converter.captured_at(stamp(7, 123_500), arrival), arrival);
        assert_eq!(converter.warning(), None);
    }

    #[test]
    fn stamps_of_other_clocks_are_told_and_not_used() {
        let arrival = Moment(100_000_000_000);
        let unknown = DriverTimestamp { is_given: false, ..stamp(99, 0) };
        let realtime = stamp(1_700_000_000, 0);
        let (zero, later, old) = (stamp(0, 0), stamp(100, 1), stamp(84, 999_999));
        for wrong in [unknown, realtime, zero, later, old, stamp(-1, 5), stamp(i64::MAX, 5), stamp(99, -1)] {
            let mut converter = TimestampConverter::default();
            assert_eq!(converter.captured_at(wrong, arrival), arrival, "{wrong:?}");
            assert!(converter.warning().is_some());
        }
    }
}
