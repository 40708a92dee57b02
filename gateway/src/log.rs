//! Rate limiting: logs the same message at most every ten seconds, so that no neighbour can flood the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(10);

/// The rate limiter of one log message. Each call site has its own, made by `limited!`.
#[derive(Debug)]
pub struct RateLimiter(Mutex<(Option<Instant>, u64)>);

impl RateLimiter {
    /// Creates the limiter of a message that has not been logged yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "made by a macro, in a static")]
    pub const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Returns `Some` with the number of suppressed messages if the message may be logged at `now`.
    pub fn allow(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, suppressed) = &mut *state;
        if last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            *suppressed += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(suppressed))
    }
}

/// Logs like `tracing`'s macro of the given level, but at most every ten seconds per call site, and then with the number
/// of suppressed messages.
macro_rules! limited {
    ($level:ident, $($text:tt)+) => {{
        static LIMITER: $crate::log::RateLimiter = $crate::log::RateLimiter::new();
        match LIMITER.allow(std::time::Instant::now()) {
            Some(0) => tracing::$level!($($text)+),
            Some(more) => tracing::$level!("{} ({more} more like this since the last)", format_args!($($text)+)),
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
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        assert_eq!(
            [0, 3, 9, 10, 12, 20].map(|s| limiter.allow(at(s))),
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
