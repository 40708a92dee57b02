//! The clock that measures the age of records: the wall clock without its jumps.
//!
//! A board's clock may be wrong by years when the program starts, and a clock that was set wrong can't be told from a line
//! that stood still. So time counts only as far as it was seen to pass: while the program runs, and over pauses that are
//! short compared with the age limit of records. The excess of any longer step is ignored, forwards and backwards.

use std::time::Duration;

use crate::clock::{Moment, WallTime};

/// A step of the clock counts as time up to a tenth of the age limit of records: three days of thirty, a weekend. A clock
/// that is wrong by less removes records too early by that much at most.
const SLACK: u32 = 10;

/// The last reading of the wall clock, and how far it has jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgeClock {
    /// The last reading; `None` before the first.
    pub seen: Option<WallTime>,
    /// The seconds by which its jumps have put the wall clock ahead; negative if behind.
    pub ahead: i64,
    /// When the clock was last read; `None` if another process read it.
    updated_at: Option<Moment>,
}

impl AgeClock {
    /// Restores a saved clock.
    pub const fn new(seen: Option<WallTime>, ahead: i64) -> Self {
        Self { seen, ahead, updated_at: None }
    }

    /// Takes a reading `now` of the wall clock at moment `at` of this process. `age` is the age limit of records.
    pub fn update(&mut self, now: WallTime, at: Moment, age: Duration) {
        let ran = self.updated_at.map_or(Duration::ZERO, |updated_at| at.since(updated_at));
        if self.step(now, ran, age) {
            self.updated_at = Some(at);
        }
    }

    /// Takes a reading `now` of the wall clock; the program is known to have run for `ran` since the last step. Returns
    /// `false` if the clock was never set, so that the reading says nothing.
    pub fn step(&mut self, now: WallTime, ran: Duration, age: Duration) -> bool {
        if !now.is_set() {
            return false;
        }
        let (ran, slack) = (whole_seconds(ran), whole_seconds(age / SLACK));
        let more = self.seen.map_or(0, |seen| now.seconds() - seen.seconds() - ran);
        if !(-slack..=slack).contains(&more) {
            self.ahead = self.ahead.saturating_add(more);
        }
        self.seen = Some(now);
        true
    }

    /// Returns the age, at the last reading, of a record that was written while the clock was `ahead` seconds ahead;
    /// `None` if the clock was not set at its capture.
    pub fn age_of(&self, captured: WallTime, ahead: i64) -> Option<Duration> {
        let seen = self.seen.filter(|_| captured.is_set())?;
        let passed = seen.seconds() - self.ahead - (captured.seconds() - ahead);
        Some(Duration::from_secs(u64::try_from(passed).unwrap_or(0)))
    }
}

fn whole_seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const AGE: Duration = Duration::from_secs(30 * 24 * HOUR);

    /// Returns the time this many hours after a day on which the clock was set.
    fn wall(hours: u64) -> WallTime {
        WallTime::parse("20261101-000000").unwrap() + Duration::from_secs(hours * HOUR)
    }

    fn ran(hours: u64) -> Moment {
        Moment(7) + Duration::from_secs(hours * HOUR)
    }

    fn hours(clock: &AgeClock, captured: WallTime, ahead: i64) -> u64 {
        clock.age_of(captured, ahead).unwrap().as_secs() / HOUR
    }

    #[test]
    fn months_of_running_count_in_full_and_so_do_nights_and_weekends() {
        let mut clock = AgeClock::default();
        clock.update(wall(0), ran(5), AGE);
        let months = 90 * 24;
        (0..=months).for_each(|hour| clock.update(wall(hour), ran(5 + hour), AGE));
        assert_eq!((hours(&clock, wall(0), 0), clock.ahead), (months, 0));
        // A new process each time.
        for hour in [months + 14, months + 28, months + 28 + 65] {
            clock = AgeClock::new(clock.seen, clock.ahead);
            clock.update(wall(hour), ran(0), AGE);
            assert_eq!((hours(&clock, wall(0), 0), clock.ahead), (hour, 0));
        }
    }

    #[test]
    fn a_start_with_a_clock_far_ahead_adds_no_age_and_neither_does_the_way_back() {
        let mut clock = AgeClock::new(Some(wall(240)), 0);
        clock.update(wall(9840), ran(0), AGE);
        assert_eq!(hours(&clock, wall(0), 0), 240);
        let ahead = clock.ahead;
        clock.update(wall(9840 + 48), ran(48), AGE);
        assert_eq!((hours(&clock, wall(0), 0), hours(&clock, wall(9840), ahead)), (240 + 48, 48));
        // The clock is set while the program runs.
        clock.update(wall(240 + 60), ran(60), AGE);
        assert_eq!(clock.ahead, 0);
        assert_eq!((hours(&clock, wall(0), 0), hours(&clock, wall(9840), ahead)), (240 + 60, 60));
    }

    #[test]
    fn a_clock_that_was_never_set_says_nothing() {
        let mut clock = AgeClock::new(Some(wall(10)), 0);
        let unset = WallTime::parse("19700101-000100").unwrap();
        clock.update(unset, ran(0), AGE);
        assert_eq!(clock, AgeClock::new(Some(wall(10)), 0));
        assert_eq!(clock.age_of(unset, 0), None);
        // It is set an hour later, after a night.
        clock.update(wall(24), ran(1), AGE);
        assert_eq!((clock.ahead, hours(&clock, wall(10), 0)), (0, 14));
    }
}
