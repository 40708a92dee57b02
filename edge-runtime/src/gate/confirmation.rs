//! Whether rejected parts did fall.

use std::collections::VecDeque;
use std::time::Duration;

use crate::moment::Moment;

/// Rejected parts that have not fallen yet, in order.
#[derive(Debug)]
pub struct Confirmation {
    within: Duration,
    waiting: VecDeque<(u64, Moment)>,
    most: usize,
}

impl Confirmation {
    /// A part has `within` to fall; at most `most` parts are waited for.
    #[must_use]
    pub fn new(within: Duration, most: usize) -> Self {
        Self { within, waiting: VecDeque::with_capacity(most), most }
    }

    /// Waits for a part released `at`; gives back the oldest where there are too many, as one that did not fall.
    pub fn expect(&mut self, part: u64, at: Moment) -> Option<u64> {
        let oldest = if self.waiting.len() >= self.most { self.waiting.pop_front() } else { None };
        self.waiting.push_back((part, at + self.within));
        oldest.map(|(part, _)| part)
    }

    /// Something fell: the part that it was, or `None` where none was due.
    pub fn fell(&mut self) -> Option<u64> {
        self.waiting.pop_front().map(|(part, _)| part)
    }

    /// The oldest part whose time is over at `now`.
    pub fn overdue(&mut self, now: Moment) -> Option<u64> {
        let due = self.next().is_some_and(|deadline| deadline <= now);
        if due { self.fell() } else { None }
    }

    /// When the oldest part's time is over.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.waiting.front().map(|(_, deadline)| *deadline)
    }
}
