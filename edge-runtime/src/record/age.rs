//! The clock that records grow old by: the wall clock without its jumps.
//!
//! A board's clock may be wrong by years when the program starts, and nothing tells a clock that was set wrong from a line
//! that stood still. So time counts only as far as it was seen to pass: while the program runs, and over pauses that are
//! short beside the age at which records go. What a longer step says more is left out, forwards and backwards.

use std::time::Duration;

use crate::clock::{Moment, WallTime};

/// A step of the clock counts as time up to a tenth of the age at which records go: three days of thirty, a weekend. A
/// clock that is wrong by less makes records go so much too early at most.
const SLACK: u32 = 10;

/// What the wall clock showed, and how far it has jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgeClock {
    /// At the last look; `None` before the first.
    pub seen: Option<WallTime>,
    /// Seconds that the wall clock is ahead by its jumps, or behind.
    pub ahead: i64,
    /// When the last look was; `None` where that was another process.
    looked: Option<Moment>,
}

impl AgeClock {
    /// A clock as it was left.
    pub const fn new(seen: Option<WallTime>, ahead: i64) -> Self {
        Self { seen, ahead, looked: None }
    }

    /// The wall clock shows `now`, at a moment of this process. `age` is the one at which records go.
    pub fn look(&mut self, now: WallTime, at: Moment, age: Duration) {
        let ran = self.looked.map_or(Duration::ZERO, |looked| at.since(looked));
        if self.step(now, ran, age) {
            self.looked = Some(at);
        }
    }

    /// The wall clock shows `now`, of which it is known that the program has run for so long since the last step. `false`
    /// where it was never set, so that there is nothing to learn from it.
    pub fn step(&mut self, now: WallTime, ran: Duration, age: Duration) -> bool {
        if !now.is_set() {
            return false;
        }
        let (ran, slack) = (whole(ran), whole(age / SLACK));
        let more = self.seen.map_or(0, |seen| now.seconds() - seen.seconds() - ran);
        if !(-slack..=slack).contains(&more) {
            self.ahead = self.ahead.saturating_add(more);
        }
        self.seen = Some(now);
        true
    }

    /// How long before the last look a record was captured that was written while the clock was ahead by so much; `None`
    /// where its clock was never set.
    pub fn age_of(&self, captured: WallTime, ahead: i64) -> Option<Duration> {
        let seen = self.seen.filter(|_| captured.is_set())?;
        let passed = seen.seconds() - self.ahead - (captured.seconds() - ahead);
        Some(Duration::from_secs(u64::try_from(passed).unwrap_or(0)))
    }
}

fn whole(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    const AGE: Duration = Duration::from_secs(30 * 24 * HOUR);

    /// So many hours after a day on which the clock was set.
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
        clock.look(wall(0), ran(5), AGE);
        let months = 90 * 24;
        (0..=months).for_each(|hour| clock.look(wall(hour), ran(5 + hour), AGE));
        assert_eq!((hours(&clock, wall(0), 0), clock.ahead), (months, 0));
        // Each time another process.
        for hour in [months + 14, months + 28, months + 28 + 65] {
            clock = AgeClock::new(clock.seen, clock.ahead);
            clock.look(wall(hour), ran(0), AGE);
            assert_eq!((hours(&clock, wall(0), 0), clock.ahead), (hour, 0));
        }
    }

    #[test]
    fn a_start_with_a_clock_far_ahead_adds_no_age_and_neither_does_the_way_back() {
        let mut clock = AgeClock::new(Some(wall(240)), 0);
        clock.look(wall(9840), ran(0), AGE);
        assert_eq!(hours(&clock, wall(0), 0), 240);
        let ahead = clock.ahead;
        clock.look(wall(9840 + 48), ran(48), AGE);
        assert_eq!((hours(&clock, wall(0), 0), hours(&clock, wall(9840), ahead)), (240 + 48, 48));
        // The clock is set while the program runs.
        clock.look(wall(240 + 60), ran(60), AGE);
        assert_eq!(clock.ahead, 0);
        assert_eq!((hours(&clock, wall(0), 0), hours(&clock, wall(9840), ahead)), (240 + 60, 60));
    }

    #[test]
    fn a_clock_that_was_never_set_says_nothing() {
        let mut clock = AgeClock::new(Some(wall(10)), 0);
        let unset = WallTime::parse("19700101-000100").unwrap();
        clock.look(unset, ran(0), AGE);
        assert_eq!(clock, AgeClock::new(Some(wall(10)), 0));
        assert_eq!(clock.age_of(unset, 0), None);
        // It is set an hour later, after a night.
        clock.look(wall(24), ran(1), AGE);
        assert_eq!((clock.ahead, hours(&clock, wall(10), 0)), (0, 14));
    }
}
