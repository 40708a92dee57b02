//! Debounces an input.
//!
//! The first edge counts at once and with its own time; edges shortly after it are ignored. The kernel's debouncing instead
//! waits until the input is quiet: unless the chip debounces in hardware, it uses a timer of whole ticks (1 to 10 ms), and
//! the edge gets the timestamp of the end of that wait (`debounce_work_func` in Linux's `gpiolib-cdev.c`). Part positions
//! would be off by that much. The price is that a spike can count as an edge.

use std::time::Duration;

use crate::clock::Moment;

/// A change of level that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelChange {
    /// Whether the input became active.
    pub active: bool,
    /// When it changed.
    pub at: Moment,
}

/// A debounced input: `lockout` is the minimum time between two edges that both count.
#[derive(Debug, Clone, Copy)]
pub struct Debouncer {
    lockout: Duration,
    /// Debounced level, and since when.
    level: bool,
    changed_at: Option<Moment>,
    /// Level as last seen, and since when.
    seen: bool,
    seen_at: Moment,
}

impl Debouncer {
    /// Creates the debouncer of an input that has been at `level` for a long time.
    #[must_use]
    pub const fn new(lockout: Duration, level: bool) -> Self {
        Self { lockout, level, changed_at: None, seen: level, seen_at: Moment(0) }
    }

    /// Takes an edge and returns the change if it counts. If edges were lost, an edge to the current level is a change too:
    /// the input left that level in between. Call [`Self::settle`] with the edge's time first.
    pub fn edge(&mut self, active: bool, at: Moment, lost: bool) -> Option<LevelChange> {
        (self.seen, self.seen_at) = (active, at);
        let counts = !self.is_locked_out(at) && (active != self.level || lost);
        counts.then(|| self.change(active, at))
    }

    /// Returns the change that the lockout has hidden, if the level after it is not the one that began it.
    pub fn settle(&mut self, now: Moment) -> Option<LevelChange> {
        let hidden = self.seen != self.level && !self.is_locked_out(now);
        hidden.then(|| self.change(self.seen, self.seen_at))
    }

    /// Returns when [`Self::settle`] is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        (self.seen != self.level).then(|| self.changed_at.map_or(self.seen_at, |at| at + self.lockout))
    }

    fn is_locked_out(&self, at: Moment) -> bool {
        self.changed_at.is_some_and(|changed_at| at < changed_at + self.lockout)
    }

    const fn change(&mut self, active: bool, at: Moment) -> LevelChange {
        self.level = active;
        self.changed_at = Some(at);
        LevelChange { active, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const US: u64 = 1000;
    const LOCKOUT: Duration = Duration::from_millis(1);

    /// The changes that count, given edges at these microseconds, each to the other level: during input and at the end.
    fn changes(lockout: Duration, edges: &[u64]) -> Vec<(u64, bool)> {
        let mut debouncer = Debouncer::new(lockout, false);
        let mut found = vec![];
        let mut active = false;
        for us in edges {
            active = !active;
            let at = Moment(us * US);
            found.extend(debouncer.settle(at));
            found.extend(debouncer.edge(active, at, false));
        }
        while let Some(wake) = debouncer.next_wake() {
            found.extend(debouncer.settle(wake));
        }
        found.into_iter().map(|change| (change.at.0 / US, change.active)).collect()
    }

    #[test]
    fn the_first_edge_counts_and_its_bounces_do_not() {
        let edges = [100, 150, 170, 400, 410, 9000, 9100, 9150];
        assert_eq!(changes(LOCKOUT, &edges), [(100, true), (9000, false)]);
    }

    #[test]
    fn without_a_lockout_every_edge_counts() {
        assert_eq!(changes(Duration::ZERO, &[1, 2, 3]), [(1, true), (2, false), (3, true)]);
    }

    #[test]
    fn the_level_after_the_lockout_is_the_one_that_stays() {
        // A pulse shorter than the lockout.
        assert_eq!(changes(LOCKOUT, &[100, 300]), [(100, true), (300, false)]);
        // The same, but the next edge comes before `settle` is called.
        assert_eq!(changes(LOCKOUT, &[100, 300, 5000]), [(100, true), (300, false), (5000, true)]);
    }

    #[test]
    fn an_edge_to_the_same_level_counts_where_others_were_lost() {
        let mut debouncer = Debouncer::new(LOCKOUT, true);
        assert_eq!(debouncer.edge(true, Moment(5), false), None);
        assert_eq!(debouncer.edge(true, Moment(6), true), Some(LevelChange { active: true, at: Moment(6) }));
        // Within the lockout it is a bounce.
        assert_eq!(debouncer.edge(true, Moment(7), true), None);
    }

    proptest! {
        #[test]
        fn changes_alternate_in_order_and_end_at_the_true_level(steps in proptest::collection::vec(1u64..3000, 0..60)) {
            let edges: Vec<u64> = steps.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let found = changes(LOCKOUT, &edges);
            prop_assert!(found.is_sorted());
            prop_assert!(found.iter().enumerate().all(|(i, (_, active))| *active == (i % 2 == 0)));
            prop_assert_eq!(found.len() % 2, edges.len() % 2);
            // Each change is one of the edges.
            prop_assert!(found.iter().all(|(at, _)| edges.contains(at)));
        }
    }
}
