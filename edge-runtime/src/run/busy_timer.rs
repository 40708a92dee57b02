//! Detects a thread that is stuck in one piece of work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;

/// The time at which a thread began its current piece of work. The thread writes it and its watchers read it, without locks.
#[derive(Debug)]
pub struct BusyTimer(AtomicU64);

impl BusyTimer {
    /// The value for a thread that waits for work, for any length of time.
    const IDLE: u64 = u64::MAX;

    /// Creates the timer of a thread without work.
    #[must_use]
    pub const fn idle() -> Self {
        Self(AtomicU64::new(Self::IDLE))
    }

    /// Marks the beginning of a piece of work, which ends the previous one.
    pub fn begin(&self, now: Moment) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    /// Marks the thread as idle.
    pub fn stop(&self) {
        self.0.store(Self::IDLE, Ordering::Relaxed);
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
        let timer = BusyTimer::idle();
        assert_eq!(timer.busy_for(Moment(1_000_000)), Duration::ZERO);
        timer.begin(Moment(10));
        assert_eq!(timer.busy_for(Moment(35)), Duration::from_nanos(25));
        timer.begin(Moment(30));
        assert_eq!(timer.busy_for(Moment(35)), Duration::from_nanos(5));
        timer.stop();
        assert_eq!(timer.busy_for(Moment(1_000_000)), Duration::ZERO);
    }
}
