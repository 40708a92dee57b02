//! Whether a thread gets on with its work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;

/// Since when a thread has been at one piece of work. The thread tells, whoever watches over it reads; nobody waits.
#[derive(Debug)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Of a thread that waits for work, however long that takes.
    const RESTS: u64 = u64::MAX;

    /// A thread without work.
    #[must_use]
    pub const fn resting() -> Self {
        Self(AtomicU64::new(Self::RESTS))
    }

    /// A piece of work begins, and with it ends the one before.
    pub fn begin(&self, now: Moment) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    /// Nothing is to be done now.
    pub fn rest(&self) {
        self.0.store(Self::RESTS, Ordering::Relaxed);
    }

    /// How long the piece of work has taken up to `now`; nothing where there is none.
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
