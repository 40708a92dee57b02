//! Detects an encoder that is silent although the belt must be moving: it is then unknown when parts are at the gate.
//!
//! The belt input shows that the belt moves. Without one, a triggered part does: parts don't arrive on a stopped belt,
//! except for the last one before a stop, or if a contact bounces. So without a belt input, the encoder is watched only
//! if the line file sets a limit, and in any case the next tick ends the silence.

use std::time::Duration;

use crate::clock::Moment;

/// Maximum time between two calls of [`EncoderWatchdog::check`]; after a longer pause the calling thread has not run, and
/// ticks may be waiting to be read.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// Watches for silence of an encoder. The current time is passed with each call.
#[derive(Debug, Clone, Copy)]
pub struct EncoderWatchdog {
    /// `None` if it is not watched.
    limit: Option<Duration>,
    has_belt_input: bool,
    /// Last state of the belt input.
    running: bool,
    /// Start of the time within which a tick is due, if the belt moves.
    since: Option<Moment>,
    checked_at: Option<Moment>,
    silent: bool,
}

impl EncoderWatchdog {
    /// Creates a watchdog for an encoder that must give a tick within `limit` while the belt moves.
    #[must_use]
    pub const fn new(limit: Option<Duration>, has_belt_input: bool) -> Self {
        Self { limit, has_belt_input, running: false, since: None, checked_at: None, silent: false }
    }

    /// Records a tick. Returns whether it ends a silence, after which the positions of the parts under way are unknown.
    pub const fn tick(&mut self, at: Moment) -> bool {
        // Without a belt input, only the next part shows that the belt still moves.
        self.since = if self.has_belt_input { Some(at) } else { None };
        std::mem::replace(&mut self.silent, false)
    }

    /// Records that a part was triggered.
    pub fn trigger(&mut self, at: Moment) {
        self.since.get_or_insert(at);
    }

    /// Records a change of the belt input.
    pub const fn belt(&mut self, running: bool, at: Moment) {
        if running && !self.running {
            self.since = Some(at);
        }
        self.running = running;
    }

    /// Returns whether the encoder is silent; `parts` says whether parts are under way. Call it regularly.
    pub fn check(&mut self, parts: bool, now: Moment) -> bool {
        let pause = self.checked_at.replace(now).is_some_and(|at| now.since(at) > MAX_PAUSE);
        if pause {
            self.since = self.since.max(self.since.and(Some(now)));
        }
        self.silent |= parts && self.due().is_some_and(|due| due <= now);
        self.silent
    }

    fn due(&self) -> Option<Moment> {
        let moves = self.running || !self.has_belt_input;
        Some(self.since.filter(|_| moves)? + self.limit?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment(ms * 1_000_000)
    }

    /// Checks every 50 ms, as the gate's thread does, and returns the first time at which the encoder is silent.
    fn silent_from(watchdog: &mut EncoderWatchdog, parts: bool, from: u64, to: u64) -> Option<u64> {
        (from..to).step_by(50).find(|ms| watchdog.check(parts, at(*ms)))
    }

    const LIMIT: Option<Duration> = Some(Duration::from_millis(500));

    #[test]
    fn with_a_belt_input_ticks_are_due_while_the_belt_runs_and_parts_are_under_way() {
        let mut watchdog = EncoderWatchdog::new(LIMIT, true);
        assert_eq!(silent_from(&mut watchdog, true, 0, 5000), None, "the belt is stopped");
        watchdog.belt(true, at(5000));
        assert_eq!(silent_from(&mut watchdog, false, 5000, 9000), None, "there are no parts");
        watchdog.tick(at(9000));
        assert_eq!(silent_from(&mut watchdog, true, 9000, 9500), None);
        assert!(watchdog.check(true, at(9500)));
        // It stays silent even though the belt stops: the positions of the parts are unknown.
        watchdog.belt(false, at(9600));
        assert!(watchdog.check(true, at(9600)));
        assert!(watchdog.tick(at(9700)), "the silence ends");
        assert!(!watchdog.check(true, at(9700)) && !watchdog.tick(at(9710)));
    }

    #[test]
    fn a_belt_that_starts_has_the_limit_for_its_first_tick() {
        let mut watchdog = EncoderWatchdog::new(LIMIT, true);
        watchdog.belt(true, at(0));
        watchdog.tick(at(10));
        watchdog.belt(false, at(20));
        assert_eq!(silent_from(&mut watchdog, true, 50, 60_000), None);
        watchdog.belt(true, at(60_000));
        assert_eq!(silent_from(&mut watchdog, true, 60_000, 60_500), None);
        assert!(watchdog.check(true, at(60_500)));
    }

    #[test]
    fn without_a_belt_input_a_part_shows_that_the_belt_moves() {
        let mut watchdog = EncoderWatchdog::new(LIMIT, false);
        watchdog.tick(at(0));
        assert_eq!(silent_from(&mut watchdog, true, 0, 5000), None, "no part since the last tick");
        watchdog.trigger(at(5000));
        watchdog.trigger(at(5400));
        assert_eq!(silent_from(&mut watchdog, true, 5000, 9000), Some(5500));
        assert!(watchdog.tick(at(9000)));
        assert_eq!(
            silent_from(&mut watchdog, true, 9000, 20_000),
            None,
            "a line with a stopped belt is no longer held"
        );
    }

    #[test]
    fn nothing_is_watched_without_a_limit() {
        let mut watchdog = EncoderWatchdog::new(None, false);
        watchdog.trigger(at(1));
        assert_eq!(silent_from(&mut watchdog, true, 0, 9000), None);
    }

    #[test]
    fn a_thread_that_did_not_run_waits_for_ticks_that_may_be_there_to_read() {
        let mut watchdog = EncoderWatchdog::new(LIMIT, true);
        watchdog.belt(true, at(0));
        assert!(!watchdog.check(true, at(0)) && !watchdog.check(true, at(3000)));
        assert_eq!(silent_from(&mut watchdog, true, 3050, 9000), Some(3500));
    }
}
