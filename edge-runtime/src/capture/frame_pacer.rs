//! A fixed frame rate for cameras made of files or generated pictures.

use std::time::Duration;

use crate::clock::Moment;

/// A timer that spaces calls evenly, as a camera spaces its frames.
#[derive(Debug)]
pub(super) struct FramePacer {
    interval: Duration,
    due: Moment,
}

impl FramePacer {
    /// Creates a pacer whose first call is due at once.
    pub(super) fn new(fps: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / fps).unwrap_or(Duration::from_secs(1));
        Self { interval, due: Moment::now() }
    }

    /// Sleeps until the next call is due and returns that time. A late call is not followed by a burst to catch up.
    pub(super) fn wait(&mut self) -> Moment {
        let now = Moment::now();
        std::thread::sleep(self.due.since(now));
        let at = self.due.max(now);
        self.due = at + self.interval;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_spaced_and_a_late_one_is_followed_by_no_burst() {
        let mut pacer = FramePacer::new(200.0);
        let first = pacer.wait();
        let second = pacer.wait();
        assert!(second.since(first) >= Duration::from_millis(5));
        std::thread::sleep(Duration::from_millis(30));
        let (late, next) = (pacer.wait(), pacer.wait());
        assert!(next.since(late) >= Duration::from_millis(5));
        assert!(Moment::now() >= next);
    }
}
