//! Waiting for the next frame of any of several cameras.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::clock::Moment;

/// Counts what arrives in several rings: frames, and the news that none will come.
#[derive(Debug, Default)]
pub struct Arrivals {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Arrivals {
    /// Notes that something has arrived.
    pub(super) fn note(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.wrapping_add(1);
        drop(count);
        self.changed.notify_all();
    }

    /// Returns the count, to be waited on after looking into the rings.
    #[must_use]
    pub fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has arrived since `count` was returned, or until the deadline.
    pub fn wait(&self, count: u64, deadline: Moment) {
        let mut now = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *now == count {
            let left = deadline.since(Moment::now());
            if left.is_zero() {
                return;
            }
            now = self.changed.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_arrival_between_looking_and_waiting_is_not_missed() {
        let arrivals = Arrivals::default();
        let count = arrivals.count();
        arrivals.note();
        let before = Moment::now();
        arrivals.wait(count, before + Duration::from_secs(60));
        assert!(Moment::now().since(before) < Duration::from_secs(30));
        let count = arrivals.count();
        arrivals.wait(count, Moment::now() + Duration::from_millis(20));
        assert_eq!(arrivals.count(), count, "the deadline ends it");
    }
}
