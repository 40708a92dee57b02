//! Confirmation that rejected parts fell.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;

/// Parts that were rejected together and have not fallen yet.
#[derive(Debug, Clone, Copy)]
struct PendingFalls {
    parts: u64,
    /// `None` while the gate is on for them and more of them may come.
    deadline: Option<Moment>,
}

/// Rejected parts that have not fallen yet, in order.
#[derive(Debug)]
pub struct Confirmation {
    within: Duration,
    waiting: VecDeque<PendingFalls>,
    max_waiting: usize,
}

impl Confirmation {
    /// Gives each part `within` to fall, and waits for at most `max_waiting` releases.
    #[must_use]
    pub fn new(within: Duration, max_waiting: usize) -> Self {
        Self { within, waiting: VecDeque::with_capacity(max_waiting), max_waiting }
    }

    /// Waits for `parts` released at `at`, or released from now until [`Self::all_came`] if that is `None`. Returns how
    /// many of the oldest parts it gives up to make room; they count as not fallen.
    pub fn expect(&mut self, parts: u64, at: Option<Moment>) -> u64 {
        let oldest = if self.waiting.len() >= self.max_waiting { self.waiting.pop_front() } else { None };
        self.waiting.push_back(PendingFalls { parts, deadline: at.map(|at| at + self.within) });
        oldest.map_or(0, |oldest| oldest.parts)
    }

    /// Sets the deadline of the parts that have none: the last of them must have come by `at`, and each has until `within`
    /// after that to fall.
    pub fn all_came(&mut self, at: Moment) {
        let deadline = at + self.within;
        for waiting in &mut self.waiting {
            waiting.deadline.get_or_insert(deadline);
        }
    }

    /// Records a fall and returns whether a part was due.
    pub fn fell(&mut self) -> bool {
        let Some(waiting) = self.waiting.front_mut() else { return false };
        waiting.parts = waiting.parts.saturating_sub(1);
        if waiting.parts == 0 {
            self.waiting.pop_front();
        }
        true
    }

    /// Removes the parts whose time is over at `now` and returns how many there were.
    pub fn take_overdue(&mut self, now: Moment) -> u64 {
        let mut parts: u64 = 0;
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            parts = parts.saturating_add(self.waiting.pop_front().map_or(0, |waiting| waiting.parts));
        }
        parts
    }

    /// Returns when the oldest part's time is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.waiting.front().and_then(|waiting| waiting.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_nanos(10);

    #[test]
    fn a_million_parts_take_the_memory_of_one() {
        let mut confirmation = Confirmation::new(WITHIN, 2);
        assert_eq!(confirmation.expect(1_000_000, Some(Moment(0))), 0);
        assert!(confirmation.fell());
        assert_eq!(confirmation.expect(1, Some(Moment(1))), 0);
        // No room for a third: the oldest are given up.
        assert_eq!(confirmation.expect(1, Some(Moment(2))), 999_999);
        assert_eq!(confirmation.waiting.len(), 2);
        assert_eq!((confirmation.take_overdue(Moment(10)), confirmation.take_overdue(Moment(12))), (0, 2));
        assert!(!confirmation.fell());
    }

    #[test]
    fn parts_of_a_stretch_have_time_from_its_end() {
        let mut confirmation = Confirmation::new(WITHIN, 4);
        confirmation.expect(3, None);
        assert_eq!((confirmation.next_deadline(), confirmation.take_overdue(Moment(1000))), (None, 0));
        confirmation.all_came(Moment(1000));
        assert!(confirmation.fell());
        assert_eq!(
            (confirmation.next_deadline(), confirmation.take_overdue(Moment(1010))),
            (Some(Moment(1010)), 2)
        );
    }
}
