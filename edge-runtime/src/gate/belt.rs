//! How far the belt has moved.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::{Moment, nanoseconds};

/// The unit in which the belt's travel is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Nanoseconds of running time.
    Time,
    /// Encoder ticks.
    Ticks,
}

/// Number of changes remembered, so that a trigger that is reported late is placed where it was: 0.4 s at 10,000 ticks
/// per second.
const MARKS: usize = 4096;

/// From `at` on, the belt stood at `position`, or ran on from there.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Moment,
    position: u64,
    running: bool,
}

/// The belt's travel since the program started.
#[derive(Debug)]
pub struct Belt {
    measure: Measure,
    marks: VecDeque<Mark>,
    /// Time between the last two ticks.
    period: Option<Duration>,
}

impl Belt {
    /// Creates a belt that runs from `now` on.
    #[must_use]
    pub fn new(measure: Measure, now: Moment) -> Self {
        let mut marks = VecDeque::with_capacity(MARKS);
        marks.push_back(Mark { at: now, position: 0, running: true });
        Self { measure, marks, period: None }
    }

    /// Advances the belt by `ticks` up to `at`. Has no effect if time is counted.
    pub fn advance(&mut self, ticks: u32, at: Moment) {
        if self.measure != Measure::Ticks || ticks == 0 {
            return;
        }
        let last = self.last();
        self.period = Some(at.since(last.at) / ticks);
        self.mark(Mark { at: at.max(last.at), position: last.position + u64::from(ticks), ..last });
    }

    /// Records that the belt was started or stopped. Has no effect if ticks are counted: a stopped belt gives none.
    pub fn set_running(&mut self, running: bool, at: Moment) {
        let last = self.last();
        if self.measure == Measure::Time && running != last.running {
            // A change that is reported late must not move the belt back.
            let at = at.max(last.at);
            self.mark(Mark { at, position: self.position_at(at), running });
        }
    }

    /// Returns the position at a point in time, as far as it is known by now.
    #[must_use]
    pub fn position_at(&self, at: Moment) -> u64 {
        // Nearly always the last one.
        let mark = self.marks.iter().rev().find(|mark| mark.at <= at).or(self.marks.front());
        mark.map_or(0, |mark| match self.measure {
            Measure::Time if mark.running => mark.position + nanoseconds(at.since(mark.at)),
            Measure::Time | Measure::Ticks => mark.position,
        })
    }

    /// Returns when the belt reached or will reach `position`; `None` if that can't be known yet. For a position too far
    /// back to be remembered, returns the earliest remembered moment: it was reached then or before.
    #[must_use]
    pub fn reaches(&self, position: u64) -> Option<Moment> {
        // Marks are in order: a belt never runs backwards.
        let next = self.marks.partition_point(|mark| mark.position < position);
        let Some(before) = next.checked_sub(1).and_then(|index| self.marks.get(index)) else {
            return self.marks.front().map(|mark| mark.at);
        };
        match self.measure {
            Measure::Ticks => self.marks.get(next).map(|mark| mark.at),
            Measure::Time => {
                before.running.then(|| before.at + Duration::from_nanos(position - before.position))
            }
        }
    }

    /// Like [`Self::reaches`], but estimates from the last two ticks if ticks are counted.
    #[must_use]
    pub fn expects(&self, position: u64) -> Option<Moment> {
        self.reaches(position).or_else(|| {
            let last = self.last();
            let ticks = u32::try_from(position - last.position).ok()?;
            (self.measure == Measure::Ticks).then_some(last.at + self.period?.saturating_mul(ticks))
        })
    }

    fn last(&self) -> Mark {
        // There is always at least one mark.
        self.marks.back().copied().unwrap_or(Mark { at: Moment(0), position: 0, running: true })
    }

    fn mark(&mut self, mark: Mark) {
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_stopped_belt_does_not_move() {
        let mut belt = Belt::new(Measure::Time, Moment(0));
        belt.set_running(false, Moment(10 * MS));
        assert_eq!(belt.position_at(Moment(50 * MS)), 10 * MS);
        assert_eq!(belt.reaches(20 * MS), None);
        belt.set_running(true, Moment(60 * MS));
        assert_eq!(belt.reaches(20 * MS), Some(Moment(70 * MS)));
        // A trigger that is reported late is placed where the belt was then.
        assert_eq!(belt.position_at(Moment(4 * MS)), 4 * MS);
        assert_eq!(belt.position_at(Moment(30 * MS)), 10 * MS);
        belt.advance(7, Moment(61 * MS));
        assert_eq!(belt.position_at(Moment(61 * MS)), 11 * MS);
    }

    #[test]
    fn ticks_count_whatever_the_time() {
        let mut belt = Belt::new(Measure::Ticks, Moment(0));
        belt.advance(1, Moment(10 * MS));
        belt.advance(2, Moment(30 * MS));
        belt.set_running(false, Moment(31 * MS));
        assert_eq!(belt.position_at(Moment(29 * MS)), 1);
        assert_eq!(belt.position_at(Moment(90 * MS)), 3);
        assert_eq!((belt.reaches(3), belt.reaches(4)), (Some(Moment(30 * MS)), None));
        assert_eq!(belt.expects(5), Some(Moment(50 * MS)));
    }

    #[test]
    fn a_place_was_reached_when_the_belt_came_there_and_not_when_it_last_moved() {
        let mut belt = Belt::new(Measure::Ticks, Moment(0));
        for tick in 1..=9 {
            belt.advance(2, Moment(tick * 10 * MS));
        }
        let reached = |position| belt.reaches(position).map(|at| at.0 / MS);
        assert_eq!(
            [0, 1, 2, 3, 18, 19].map(reached),
            [Some(0), Some(10), Some(10), Some(20), Some(90), None]
        );

        let mut belt = Belt::new(Measure::Time, Moment(0));
        belt.set_running(false, Moment(10 * MS));
        belt.set_running(true, Moment(50 * MS));
        let reached = |position: u64| belt.reaches(position * MS).map(|at| at.0 / MS);
        // It stood at 10 from the moment it stopped there.
        assert_eq!([5, 10, 11, 70].map(reached), [Some(5), Some(10), Some(51), Some(110)]);
        // A stop that is reported late moves nothing back.
        belt.set_running(false, Moment(40 * MS));
        assert_eq!((belt.position_at(Moment(90 * MS)), belt.reaches(11 * MS)), (10 * MS, None));
    }

    #[test]
    fn a_place_that_is_forgotten_was_reached_by_the_first_moment_that_is_known() {
        let mut belt = Belt::new(Measure::Ticks, Moment(0));
        for tick in 1..20_000 {
            belt.advance(1, Moment(tick));
        }
        let first = 20_000 - MARKS as u64;
        assert_eq!(
            (belt.reaches(5), belt.reaches(first + 7)),
            (Some(Moment(first)), Some(Moment(first + 7)))
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut belt = Belt::new(Measure::Ticks, Moment(0));
        for tick in 1..20_000 {
            belt.advance(1, Moment(tick));
        }
        assert_eq!(belt.marks.len(), MARKS);
        assert_eq!(belt.position_at(Moment(19_000)), 19_000);
    }
}
