//! Counts of an encoder that a peer sends → ticks.
//!
//! A count with a wrong digit, or of a counter that was restarted, must not move the parts under way. Whether a
//! difference can be the belt's way is told by the time that it took:
//!
//! * The limit is [`EncoderCount::new`]'s ticks a second. Unless the line file gives one, it is four times the way from
//!   trigger to gate, for a belt that needs less than a quarter of a second for that leaves no time to judge a part. A
//!   faster one is learnt: four times the fastest second so far, if that is more. A second, for a single difference
//!   that was taken wrongly must not raise the limit by much.
//! * Counts come late and then several at once, by the peer's own rounds, by a USB adapter's latency timer (16 ms) and
//!   by this machine's. So 50 ms more than passed are allowed for. They also serve the first moments of a belt that is
//!   faster than the limit of the start.
//! * After long silence no more than 10 s are allowed for: what was under way before has gone by then.

use std::time::Duration;

use crate::clock::{Moment, nanoseconds};
use crate::line_file::LineFile;

/// Times the distance, or the fastest second so far, a belt may go in a second.
const FACTOR: u64 = 4;
/// How late a count may come.
const LATE: Duration = Duration::from_millis(50);
/// Between two counts at most.
const LONGEST: Duration = Duration::from_secs(10);
/// The shortest time over which speed is learnt.
const LEARN: Duration = Duration::from_secs(1);
const SECOND: u64 = 1_000_000_000;

/// The last counts, and how fast they may grow. The peer's counter may wrap and may be restarted.
#[derive(Debug, Clone, Copy)]
pub struct EncoderCount {
    distance: u64,
    /// Ticks a second at most, by the line file.
    most: Option<u64>,
    last: Option<Count>,
    /// The count before a jump, until it is known which of them was wrong.
    before: Option<Count>,
    /// Ticks a second, of the fastest second.
    fastest: u64,
    /// Ticks of the present second, and when it began.
    second: (u64, Moment),
}

#[derive(Debug, Clone, Copy)]
struct Count {
    count: u32,
    at: Moment,
}

impl EncoderCount {
    /// What becomes of the counts that come over the serial port, if a line's encoder is read there.
    #[must_use]
    pub fn of(line: &LineFile) -> Option<Self> {
        let distance = line.gate.distance_ticks.filter(|_| line.encoder_by_serial())?;
        Some(Self::new(distance, line.gate.max_ticks_per_s))
    }

    /// No count yet. From trigger to gate are `distance` ticks; the belt gives `most` ticks a second, if that is known.
    #[must_use]
    pub fn new(distance: u32, most: Option<u32>) -> Self {
        let (last, before) = (None, None);
        let most = most.map(u64::from);
        Self { distance: distance.into(), most, last, before, fastest: 0, second: (0, Moment(0)) }
    }

    /// Ticks since the count before; none at the first. `None` if the count ran back or jumped: nobody knows how far
    /// the belt went. The next difference is taken from the count before the jump if that one can be its beginning
    /// and the jump can't, for then one count was wrong; otherwise from the jump on.
    pub fn ticks(&mut self, count: u32, at: Moment) -> Option<u32> {
        let here = Count { count, at };
        let Some(last) = self.last.replace(here) else {
            self.second = (0, at);
            return Some(0);
        };
        let from_last = self.way(last, here);
        let Some(before) = self.before.take() else {
            if from_last.is_none() {
                self.before = Some(last);
                self.second = (0, at);
            }
            return from_last.inspect(|ticks| self.learn(*ticks, at));
        };
        let ticks = match (self.way(before, here), from_last) {
            // Which of them is right can't be told.
            (Some(_), Some(_)) => None,
            (None, None) => {
                self.before = Some(before);
                None
            }
            (one, other) => one.or(other),
        };
        ticks.inspect(|ticks| self.learn(*ticks, at))
    }

    /// The difference, if it can be the belt's way.
    fn way(&self, from: Count, to: Count) -> Option<u32> {
        let ticks = to.count.wrapping_sub(from.count);
        let passed = to.at.since(from.at).min(LONGEST) + LATE;
        let limit = self.most.unwrap_or(FACTOR * self.distance.max(self.fastest));
        // A count that ran back is a difference of some 4 billion.
        let allowed = limit.saturating_mul(nanoseconds(passed)) / SECOND + 1;
        (u64::from(ticks) <= allowed.min(u64::from(u32::MAX / 2))).then_some(ticks)
    }

    fn learn(&mut self, ticks: u32, at: Moment) {
        let (sum, since) = self.second;
        let (sum, passed) = (sum + u64::from(ticks), at.since(since));
        self.second = (sum, since);
        if passed >= LEARN {
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

    /// 1000 ticks from trigger to gate, so 4000 a second at the start: 280 in 20 ms.
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
        // From so low a count that nobody can tell: twice, and then it is over.
        let steps = [(0, 60), (20, 0), (40, 70), (60, 80), (80, 90)];
        assert_eq!(counts(&steps), [Some(0), None, None, Some(10), Some(10)]);
    }

    #[test]
    fn counts_that_come_late_and_at_once_are_the_belts_way() {
        // 1000 ticks a second, each 10 ms, held up for 50 ms and then read together.
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
        // The way to the gate in a tenth of a second, counted every 10 ms.
        let mut encoder = EncoderCount::new(100, None);
        assert_eq!(run(&mut encoder, 10), 0);
        assert_eq!(encoder.fastest, 1000);
        // 1.5 times the distance in 20 ms: at the start a jump, on a belt of this speed a burst.
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
        /// Whatever comes, a belt that then runs steadily is followed again after two counts.
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
