//! Parts that passed the camera or trigger while the line was blind: the line is held until they must have passed the gate.

use crate::clock::Moment;
use crate::gate::Measure;

/// Tracks whether there may be unseen parts between trigger and gate. Each call passes the time in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unseen {
    measure: Measure,
    /// The distance from trigger to gate, in nanoseconds of belt time or in ticks.
    distance: u64,
    running: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There are no unseen parts.
    No,
    /// The line is blind: unseen parts may be passing now.
    Come,
    /// The line sees again; the belt has moved the last of them by `way` up to `at`.
    Leave { way: u64, at: Moment },
}

impl Unseen {
    /// Creates a tracker without unseen parts, on a running belt.
    pub(super) const fn new(measure: Measure, distance: u64) -> Self {
        Self { measure, distance, running: true, state: State::No }
    }

    /// Adds ticks of the encoder.
    pub(super) const fn encoder(&mut self, ticks: u32) {
        if let (Measure::Ticks, State::Leave { way, .. }) = (self.measure, &mut self.state) {
            *way = way.saturating_add(ticks as u64);
        }
    }

    /// Records that the belt was started or stopped.
    pub(super) fn belt(&mut self, running: bool, at: Moment) {
        self.move_on(at);
        self.running = running;
    }

    /// Updates the state and returns whether the line must be held: it is blind, or unseen parts may be on their way.
    /// Parts from before the line was first ready are not waited for: there, sight and readiness come at the same moment.
    pub(super) fn look(&mut self, blind: bool, ready: bool, now: Moment) -> bool {
        self.move_on(now);
        self.state = match self.state {
            _ if blind && ready => State::Come,
            State::Come if !blind => State::Leave { way: 0, at: now },
            State::Leave { way, .. } if way >= self.distance => State::No,
            state => state,
        };
        blind || self.state != State::No
    }

    /// Whether the line sees again but unseen parts are still on their way.
    pub(super) const fn leave(&self) -> bool {
        matches!(self.state, State::Leave { .. })
    }

    /// Returns when the last of them reaches the gate, if that is measured by time.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        match self.state {
            State::Leave { way, at } if self.measure == Measure::Time && self.running => {
                Some(at + std::time::Duration::from_nanos(self.distance.saturating_sub(way)))
            }
            _ => None,
        }
    }

    fn move_on(&mut self, now: Moment) {
        if let (Measure::Time, State::Leave { way, at }) = (self.measure, &mut self.state) {
            let passed = now.0.saturating_sub(at.0);
            *at = now.max(*at);
            if self.running {
                *way = way.saturating_add(passed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_they_have_left_when_the_belt_has_run_for_as_long_as_the_way_takes() {
        let mut unseen = Unseen::new(Measure::Time, 100);
        assert!(!unseen.look(false, true, Moment(5)));
        assert!(unseen.look(true, true, Moment(10)) && !unseen.leave());
        assert_eq!(unseen.next_wake(), None);
        assert!(unseen.look(false, true, Moment(50)) && unseen.leave());
        assert_eq!(unseen.next_wake(), Some(Moment(150)));
        unseen.belt(false, Moment(80));
        assert_eq!(unseen.next_wake(), None);
        unseen.belt(true, Moment(1000));
        assert_eq!(unseen.next_wake(), Some(Moment(1070)));
        assert!(unseen.look(false, true, Moment(1069)));
        assert!(!unseen.look(false, true, Moment(1070)));
    }

    #[test]
    fn by_ticks_they_have_left_when_as_many_have_come() {
        let mut unseen = Unseen::new(Measure::Ticks, 100);
        unseen.look(true, true, Moment(0));
        unseen.encoder(500);
        assert!(unseen.look(false, true, Moment(1)));
        unseen.encoder(99);
        assert!(unseen.look(false, true, Moment(1_000_000_000)));
        assert_eq!(unseen.next_wake(), None);
        // Blind once more: the whole distance counts again.
        assert!(unseen.look(true, true, Moment(1_000_000_001)));
        assert!(unseen.look(false, true, Moment(1_000_000_002)));
        unseen.encoder(99);
        assert!(unseen.look(false, true, Moment(1_000_000_003)));
        unseen.encoder(1);
        assert!(!unseen.look(false, true, Moment(1_000_000_004)));
    }

    #[test]
    fn a_line_that_becomes_ready_seeing_is_not_held() {
        let mut unseen = Unseen::new(Measure::Time, 100);
        assert!(unseen.look(true, false, Moment(1)));
        assert!(!unseen.look(false, true, Moment(2)), "both at once");
        assert!(unseen.look(true, true, Moment(3)));
        assert!(unseen.look(false, true, Moment(4)));
    }
}
