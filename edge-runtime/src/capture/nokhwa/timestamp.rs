//! Capture times from nokhwa, which converts the driver's monotonic times to the wall clock; this converts them back.

use std::time::Duration;

use crate::clock::Moment;

/// An older timestamp is from another clock.
const MAX_AGE: Duration = Duration::from_secs(15);

/// Returns the capture time of a frame that arrives at `arrival`, while the wall clock shows `wall` since 1970. `None` if
/// there is no timestamp, or an implausible one: later than the arrival, or more than [`MAX_AGE`] before it.
pub(super) fn captured_at(stamp: Option<Duration>, wall: Duration, arrival: Moment) -> Option<Moment> {
    let age = wall.checked_sub(stamp?)?;
    (age <= MAX_AGE).then(|| arrival - age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_is_as_old_by_either_clock() {
        let (wall, arrival) = (Duration::from_secs(1_700_000_000), Moment(5_000_000_000));
        let stamp = wall.checked_sub(Duration::from_millis(40));
        assert_eq!(captured_at(stamp, wall, arrival), Some(Moment(4_960_000_000)));
        assert_eq!(captured_at(Some(wall), wall, arrival), Some(arrival));
    }

    #[test]
    fn time_stamps_that_can_not_be_are_not_used() {
        let (wall, arrival) = (Duration::from_secs(1_700_000_000), Moment(90_000_000_000));
        let later = wall + Duration::from_nanos(1);
        let old = wall - MAX_AGE - Duration::from_nanos(1);
        for stamp in [None, Some(Duration::ZERO), Some(later), Some(old), Some(Duration::MAX)] {
            assert_eq!(captured_at(stamp, wall, arrival), None, "{stamp:?}");
        }
    }
}
