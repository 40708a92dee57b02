//! Rate limiting: logs the same message at most every ten seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Moment, nanoseconds};

const INTERVAL: Duration = Duration::from_secs(10);

/// The rate limiter of one log message. Each call site has its own, made by `limited!`.
#[derive(Debug, Default)]
pub struct RateLimiter {
    /// When the message was last logged, plus one; 0 if never.
    last: AtomicU64,
    suppressed: AtomicU64,
}

impl RateLimiter {
    /// Creates the limiter of a message that has not been logged yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// Returns `Some` with the number of suppressed messages if the message may be logged at `now`.
    pub fn allow(&self, now: Moment) -> Option<u64> {
        let last = self.last.load(Ordering::Relaxed);
        let due = last == 0 || now.0 >= last.saturating_add(nanoseconds(INTERVAL));
        // If two threads arrive at the same time, one of them logs.
        let mark = now.0.saturating_add(1);
        if due && self.last.compare_exchange(last, mark, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Logs like `tracing`'s macro of the given level, but at most every ten seconds per call site, and then with the number
/// of suppressed messages: `limited!(warn, "cannot write {path}")`.
macro_rules! limited {
    ($level:ident, $($text:tt)+) => {{
        static LIMITER: $crate::log::RateLimiter = $crate::log::RateLimiter::new();
        match LIMITER.allow($crate::clock::Moment::now()) {
            Some(0) => tracing::$level!($($text)+),
            Some(held_back) => tracing::$level!("{} ({held_back} more like this since the last)", format_args!($($text)+)),
            None => {}
        }
    }};
}
pub(crate) use limited;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_seconds_and_the_others_are_counted() {
        let limiter = RateLimiter::new();
        let at = |ms: u64| Moment(ms * 1_000_000);
        assert_eq!(limiter.allow(at(0)), Some(0));
        assert_eq!([limiter.allow(at(1)), limiter.allow(at(9_999))], [None, None]);
        assert_eq!(limiter.allow(at(10_001)), Some(2));
        assert_eq!(limiter.allow(at(10_002)), None);
        assert_eq!(limiter.allow(at(30_000)), Some(1));
        assert_eq!(limiter.allow(at(60_000)), Some(0));
    }

    #[test]
    fn of_many_threads_one_logs() {
        let limiter = RateLimiter::new();
        let logged: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| limiter.allow(Moment(7)).is_some()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(logged, 1);
        assert_eq!(limiter.allow(Moment(nanoseconds(INTERVAL) + 8)), Some(7999));
    }
}
