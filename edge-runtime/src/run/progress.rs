//! Detects a thread that is stuck in one piece of work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;

/// The time at which a thread began its current piece of work. The thread writes it and its watchers read it, without locks.
#[derive(Debug)]
pub struct Progress(AtomicU64);

impl Progress {
    /// The value for a thread that waits for work, for any length of time.
    const RESTS: u64 = u64::MAX;

    /// Creates the progress of a thread without work.
    #[must_use]
    pub const fn resting() -> Self {
        Self(AtomicU64::new(Self::RESTS))
    }

    /// Marks the beginning of a piece of work, which ends the previous one.
    pub fn begin(&self, now: Moment) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    /// Marks the thread as idle.
    pub fn rest(&self) {
        self.0.store(Self::RESTS, Ordering::Relaxed);
    }

    /// Returns how long the current piece of work has taken at `now`; zero if the thread is idle.
    #[must_use]
    pub fn busy_for(&self, now: Moment) -> Duration {
        now.since(Moment(self.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_and_rest_does_not() {
        let progress = Progress::resting();
        assert_eq!(progress.busy_for(Moment(1_000_000)), Duration::ZERO);
        progress.begin(Moment(10));
        assert_eq!(progress.busy_for(Moment(35)), Duration::from_nanos(25));
        progress.begin(Moment(30));
        assert_eq!(progress.busy_for(Moment(35)), Duration::from_nanos(5));
        progress.rest();
        assert_eq!(progress.busy_for(Moment(1_000_000)), Duration::ZERO);
    }
}
