//! Turns encoder counts sent by a peer into ticks.
//!
//! A count with a wrong digit, or from a counter that was restarted, must not move the parts under way. Whether the belt
//! can have moved by a difference depends on the time that passed:
//!
//! * The limit in ticks per second is passed to [`EncoderCount::new`]. If the line file sets none, it is four times the
//!   distance from trigger to gate, as a belt that covers that in less than a quarter of a second leaves no time to judge
//!   a part. A faster belt is learned: four times the fastest second so far, if that is more. A whole second, because a
//!   single wrongly accepted difference must not raise the limit by much.
//! * Counts come late and then several at once, due to the peer's own cycle, a USB adapter's latency timer (16 ms) and
//!   delays on this machine. So 50 ms are added to the time that passed. They also cover the first moments of a belt that
//!   is faster than the initial limit.
//! * After a long silence at most 10 s are allowed for: whatever was under way before has gone by then.

use std::time::Duration;

use crate::clock::{Moment, nanoseconds};
use crate::line_file::LineFile;

/// How many times the distance, or the fastest second so far, a belt may move per second.
const SPEED_FACTOR: u64 = 4;
/// How late a count may come.
const MAX_DELAY: Duration = Duration::from_millis(50);
/// Maximum time assumed between two counts.
const MAX_INTERVAL: Duration = Duration::from_secs(10);
/// Minimum time over which the speed is learned.
const MIN_LEARN_TIME: Duration = Duration::from_secs(1);
const SECOND: u64 = 1_000_000_000;

/// Tracks the last counts and how fast they may grow. The peer's counter may wrap and may be restarted.
#[derive(Debug, Clone, Copy)]
pub struct EncoderCount {
    distance: u64,
    /// Maximum ticks per second, from the line file.
    max_per_s: Option<u64>,
    last: Option<Count>,
    /// The count before a jump, until it is known which of the two was wrong.
    before: Option<Count>,
    /// Ticks per second, in the fastest second so far.
    fastest: u64,
    /// Ticks in the current second, and when it began.
    second: (u64, Moment),
}

#[derive(Debug, Clone, Copy)]
struct Count {
    count: u32,
    at: Moment,
}

impl EncoderCount {
    /// Creates the tracker for a line whose encoder counts come over the serial port; `None` for other lines.
    #[must_use]
    pub fn of(line: &LineFile) -> Option<Self> {
        let distance = line.gate.distance_ticks.filter(|_| line.encoder_by_serial())?;
        Some(Self::new(distance, line.gate.max_ticks_per_s))
    }

    /// Creates the tracker for a line whose encoder counts come from the gateway; `None` for other lines.
    #[must_use]
    pub fn of_gateway(line: &LineFile) -> Option<Self> {
        let distance = line.gate.distance_ticks.filter(|_| line.encoder_by_socket())?;
        Some(Self::new(distance, line.gate.max_ticks_per_s))
    }

    /// Creates a tracker without a count. The distance from trigger to gate is `distance` ticks; the belt makes at most
    /// `max_per_s` ticks per second, if that is known.
    #[must_use]
    pub fn new(distance: u32, max_per_s: Option<u32>) -> Self {
        let (last, before) = (None, None);
        let max_per_s = max_per_s.map(u64::from);
        Self { distance: distance.into(), max_per_s, last, before, fastest: 0, second: (0, Moment(0)) }
    }

    /// Returns the ticks since the previous count, 0 for the first. `None` if the count ran back or jumped: how far the belt
    /// moved is unknown. The next difference is taken from the count before the jump if only that one is plausible, as
    /// then a single count was wrong; otherwise from the jump.
    pub fn ticks(&mut self, count: u32, at: Moment) -> Option<u32> {
        let here = Count { count, at };
        let Some(last) = self.last.replace(here) else {
            self.second = (0, at);
            return Some(0);
        };
        let from_last = self.plausible_ticks(last, here);
        let Some(before) = self.before.take() else {
            if from_last.is_none() {
                self.before = Some(last);
                self.second = (0, at);
            }
            return from_last.inspect(|ticks| self.learn(*ticks, at));
        };
        let ticks = match (self.plausible_ticks(before, here), from_last) {
            // It can't be known which of them is right.
            (Some(_), Some(_)) => None,
            (None, None) => {
                self.before = Some(before);
                None
            }
            (one, other) => one.or(other),
        };
        ticks.inspect(|ticks| self.learn(*ticks, at))
    }

    /// Returns the difference, if the belt can have moved that far.
    fn plausible_ticks(&self, from: Count, to: Count) -> Option<u32> {
        let ticks = to.count.wrapping_sub(from.count);
        let passed = to.at.since(from.at).min(MAX_INTERVAL) + MAX_DELAY;
        let limit = self.max_per_s.unwrap_or(SPEED_FACTOR * self.distance.max(self.fastest));
        // For a count that ran back, the difference is some 4 billion.
        let allowed = limit.saturating_mul(nanoseconds(passed)) / SECOND + 1;
        (u64::from(ticks) <= allowed.min(u64::from(u32::MAX / 2))).then_some(ticks)
    }

    fn learn(&mut self, ticks: u32, at: Moment) {
        let (sum, since) = self.second;
        let (sum, passed) = (sum + u64::from(ticks), at.since(since));
        self.second = (sum, since);
        if passed >= MIN_LEARN_TIME {
            self.fastest = self.fastest.max(sum.saturating_mul(SECOND) / nanoseconds(passed).max(1));
            self.second = (0, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Moment {
        Moment(ms * 1_000_000)
    }

    /// 1000 ticks from trigger to gate, so at first at most 4000 per second: 280 in 20 ms.
    fn counts(steps: &[(u64, u32)]) -> Vec<Option<u32>> {
        let mut encoder = EncoderCount::new(1000, None);
        steps.iter().map(|(ms, count)| encoder.ticks(*count, at(*ms))).collect()
    }

    #[test]
    fn the_difference_counts_across_the_wrap() {
        let steps = [(0, u32::MAX - 2), (20, u32::MAX), (40, 4), (60, 4), (80, 204)];
        assert_eq!(counts(&steps), [Some(0), Some(2), Some(5), Some(0), Some(200)]);
    }

    #[test]
    fn a_wrong_digit_is_a_jump_and_the_next_count_goes_on_from_the_one_before_it() {
        assert_eq!(counts(&[(0, 60), (20, 70), (40, 700), (60, 90)]), [Some(0), Some(10), None, Some(20)]);
        // Two in a row.
        let steps = [(0, 5060), (20, 5070), (40, 9080), (60, 90), (80, 5100), (100, 5110)];
        assert_eq!(counts(&steps), [Some(0), Some(10), None, None, Some(30), Some(10)]);
    }

    #[test]
    fn a_counter_that_starts_anew_is_a_jump_once() {
        assert_eq!(counts(&[(0, 5000), (20, 0), (40, 10), (60, 20)]), [Some(0), None, Some(10), Some(10)]);
        // From such a low count that it is ambiguous: two jumps, then it recovers.
        let steps = [(0, 60), (20, 0), (40, 70), (60, 80), (80, 90)];
        assert_eq!(counts(&steps), [Some(0), None, None, Some(10), Some(10)]);
    }

    #[test]
    fn counts_that_come_late_and_at_once_are_the_belts_way() {
        // 1000 ticks per second, sent every 10 ms, delayed by up to 50 ms and then read together.
        let late = [(0, 0), (10, 10), (60, 20), (60, 30), (60, 40), (60, 50), (60, 60), (61, 61)];
        assert!(counts(&late).iter().all(Option::is_some));
        // A port that was gone for two seconds.
        assert_eq!(counts(&[(0, 0), (2000, 3000)]), [Some(0), Some(3000)]);
    }

    #[test]
    fn a_fast_belt_is_learnt_and_a_limit_that_is_given_holds() {
        let run = |encoder: &mut EncoderCount, ticks: u32| -> usize {
            (0..200u32).filter(|n| encoder.ticks(n * ticks, at(u64::from(*n) * 10)).is_none()).count()
        };
        // The distance to the gate in a tenth of a second, counted every 10 ms.
        let mut encoder = EncoderCount::new(100, None);
        assert_eq!(run(&mut encoder, 10), 0);
        assert_eq!(encoder.fastest, 1000);
        // 1.5 times the distance in 20 ms: a jump at first, a burst on a belt of this speed.
        assert_eq!(encoder.ticks(1990 + 150, at(2010)), Some(150));
        assert_eq!(EncoderCount::new(100, None).ticks(0, at(0)), Some(0));
        let mut slow = EncoderCount::new(100, None);
        slow.ticks(0, at(0));
        assert_eq!(slow.ticks(150, at(20)), None);

        let mut limited = EncoderCount::new(10_000, Some(500));
        assert_eq!(run(&mut limited, 5), 0);
        assert_eq!(limited.ticks(995 + 60, at(2020)), None, "60 ticks in 30 ms");
    }

    #[test]
    fn a_long_silence_allows_for_ten_seconds() {
        assert_eq!(counts(&[(0, 0), (3_600_000, 40_000)]), [Some(0), Some(40_000)]);
        assert_eq!(counts(&[(0, 0), (3_600_000, 41_000)]), [Some(0), None]);
    }

    proptest! {
        /// After any input, a belt that then runs steadily is tracked again from the fourth count at the latest.
        #[test]
        fn nothing_is_lost_for_ever(noise in proptest::collection::vec((0u64..100, any::<u32>()), 0..20), from in any::<u32>()) {
            let mut encoder = EncoderCount::new(1000, None);
            let mut ms = 0;
            for (pause, count) in noise {
                ms += pause;
                let _ = encoder.ticks(count, at(ms));
            }
            let steady: Vec<_> = (1..=5u32)
                .map(|n| encoder.ticks(from.wrapping_add(10 * n), at(ms + 20 * u64::from(n))))
                .collect();
            prop_assert_eq!(&steady[3..], &[Some(10), Some(10)]);
        }
    }
}
