//! How far the belt has moved.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::{Moment, nanoseconds};

/// The unit in which the belt's travel is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeltUnit {
    /// Nanoseconds of running time.
    Time,
    /// Encoder ticks.
    Ticks,
}

/// Number of changes remembered, so that a trigger that is reported late is placed where it was: 0.4 s at 10,000 ticks
/// per second.
const MAX_MARKS: usize = 4096;

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
    unit: BeltUnit,
    marks: VecDeque<Mark>,
    /// Time between the last two ticks.
    period: Option<Duration>,
}

impl Belt {
    /// Creates a belt that runs from `now` on.
    #[must_use]
    pub fn new(unit: BeltUnit, now: Moment) -> Self {
        let mut marks = VecDeque::with_capacity(MAX_MARKS);
        marks.push_back(Mark { at: now, position: 0, running: true });
        Self { unit, marks, period: None }
    }

    /// Advances the belt by `ticks` up to `at`. Has no effect if time is counted.
    pub fn advance(&mut self, ticks: u32, at: Moment) {
        if self.unit != BeltUnit::Ticks || ticks == 0 {
            return;
        }
        let last = self.last_mark();
        self.period = Some(at.since(last.at) / ticks);
        self.push_mark(Mark { at: at.max(last.at), position: last.position + u64::from(ticks), ..last });
    }

    /// Records that the belt was started or stopped. Has no effect if ticks are counted: a stopped belt gives none.
    pub fn set_running(&mut self, running: bool, at: Moment) {
        let last = self.last_mark();
        if self.unit == BeltUnit::Time && running != last.running {
            // A change that is reported late must not move the belt back.
            let at = at.max(last.at);
            self.push_mark(Mark { at, position: self.position_at(at), running });
        }
    }

    /// Returns the position at a point in time, as far as it is known by now.
    #[must_use]
    pub fn position_at(&self, at: Moment) -> u64 {
        // Nearly always the last one.
        let mark = self.marks.iter().rev().find(|mark| mark.at <= at).or(self.marks.front());
        mark.map_or(0, |mark| match self.unit {
            BeltUnit::Time if mark.running => mark.position + nanoseconds(at.since(mark.at)),
            BeltUnit::Time | BeltUnit::Ticks => mark.position,
        })
    }

    /// Returns when the belt reached or will reach `position`; `None` if that can't be known yet. For a position too far
    /// back to be remembered, returns the earliest remembered moment: it was reached then or before.
    #[must_use]
    pub fn time_at(&self, position: u64) -> Option<Moment> {
        // Marks are in order: a belt never runs backwards.
        let next = self.marks.partition_point(|mark| mark.position < position);
        let Some(before) = next.checked_sub(1).and_then(|index| self.marks.get(index)) else {
            return self.marks.front().map(|mark| mark.at);
        };
        match self.unit {
            BeltUnit::Ticks => self.marks.get(next).map(|mark| mark.at),
            BeltUnit::Time => {
                before.running.then(|| before.at + Duration::from_nanos(position - before.position))
            }
        }
    }

    /// Like [`Self::time_at`], but estimates from the last two ticks if ticks are counted.
    #[must_use]
    pub fn estimated_time_at(&self, position: u64) -> Option<Moment> {
        self.time_at(position).or_else(|| {
            let last = self.last_mark();
            let ticks = u32::try_from(position - last.position).ok()?;
            (self.unit == BeltUnit::Ticks).then_some(last.at + self.period?.saturating_mul(ticks))
        })
    }

    fn last_mark(&self) -> Mark {
        // There is always at least one mark.
        self.marks.back().copied().unwrap_or(Mark { at: Moment(0), position: 0, running: true })
    }

    fn push_mark(&mut self, mark: Mark) {
        if self.marks.len() == MAX_MARKS {
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
        let mut belt = Belt::new(BeltUnit::Time, Moment(0));
        belt.set_running(false, Moment(10 * MS));
        assert_eq!(belt.position_at(Moment(50 * MS)), 10 * MS);
        assert_eq!(belt.time_at(20 * MS), None);
        belt.set_running(true, Moment(60 * MS));
        assert_eq!(belt.time_at(20 * MS), Some(Moment(70 * MS)));
        // A trigger that is reported late is placed where the belt was then.
        assert_eq!(belt.position_at(Moment(4 * MS)), 4 * MS);
        assert_eq!(belt.position_at(Moment(30 * MS)), 10 * MS);
        belt.advance(7, Moment(61 * MS));
        assert_eq!(belt.position_at(Moment(61 * MS)), 11 * MS);
    }

    #[test]
    fn ticks_count_whatever_the_time() {
        let mut belt = Belt::new(BeltUnit::Ticks, Moment(0));
        belt.advance(1, Moment(10 * MS));
        belt.advance(2, Moment(30 * MS));
        belt.set_running(false, Moment(31 * MS));
        assert_eq!(belt.position_at(Moment(29 * MS)), 1);
        assert_eq!(belt.position_at(Moment(90 * MS)), 3);
        assert_eq!((belt.time_at(3), belt.time_at(4)), (Some(Moment(30 * MS)), None));
        assert_eq!(belt.estimated_time_at(5), Some(Moment(50 * MS)));
    }

    #[test]
    fn a_place_was_reached_when_the_belt_came_there_and_not_when_it_last_moved() {
        let mut belt = Belt::new(BeltUnit::Ticks, Moment(0));
        for tick in 1..=9 {
            belt.advance(2, Moment(tick * 10 * MS));
        }
        let reached = |position| belt.time_at(position).map(|at| at.0 / MS);
        assert_eq!(
            [0, 1, 2, 3, 18, 19].map(reached),
            [Some(0), Some(10), Some(10), Some(20), Some(90), None]
        );

        let mut belt = Belt::new(BeltUnit::Time, Moment(0));
        belt.set_running(false, Moment(10 * MS));
        belt.set_running(true, Moment(50 * MS));
        let reached = |position: u64| belt.time_at(position * MS).map(|at| at.0 / MS);
        // It stood at 10 from the moment it stopped there.
        assert_eq!([5, 10, 11, 70].map(reached), [Some(5), Some(10), Some(51), Some(110)]);
        // A stop that is reported late moves nothing back.
        belt.set_running(false, Moment(40 * MS));
        assert_eq!((belt.position_at(Moment(90 * MS)), belt.time_at(11 * MS)), (10 * MS, None));
    }

    #[test]
    fn a_place_that_is_forgotten_was_reached_by_the_first_moment_that_is_known() {
        let mut belt = Belt::new(BeltUnit::Ticks, Moment(0));
        for tick in 1..20_000 {
            belt.advance(1, Moment(tick));
        }
        let first = 20_000 - MAX_MARKS as u64;
        assert_eq!(
            (belt.time_at(5), belt.time_at(first + 7)),
            (Some(Moment(first)), Some(Moment(first + 7)))
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut belt = Belt::new(BeltUnit::Ticks, Moment(0));
        for tick in 1..20_000 {
            belt.advance(1, Moment(tick));
        }
        assert_eq!(belt.marks.len(), MAX_MARKS);
        assert_eq!(belt.position_at(Moment(19_000)), 19_000);
    }
}
