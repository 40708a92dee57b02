//! Parts that passed camera or trigger while the line was blind: it is held until they must have passed the gate.

use crate::clock::Moment;
use crate::gate::Measure;

/// Whether there may be parts between trigger and gate that nobody saw. Time comes in with each call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unseen {
    measure: Measure,
    /// From trigger to gate, in nanoseconds of belt time or ticks.
    distance: u64,
    running: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There are none.
    No,
    /// They come now.
    Come,
    /// Sight is back, and the belt has moved them so far up to a moment.
    Leave { way: u64, at: Moment },
}

impl Unseen {
    /// None, on a belt that runs.
    pub(super) const fn new(measure: Measure, distance: u64) -> Self {
        Self { measure, distance, running: true, state: State::No }
    }

    /// The encoder gave ticks.
    pub(super) const fn encoder(&mut self, ticks: u32) {
        if let (Measure::Ticks, State::Leave { way, .. }) = (self.measure, &mut self.state) {
            *way = way.saturating_add(ticks as u64);
        }
    }

    /// The belt was started or stopped.
    pub(super) fn belt(&mut self, running: bool, at: Moment) {
        self.move_on(at);
        self.running = running;
    }

    /// Whether there are any, given whether the line is blind. What came before it was ready for the first time is not
    /// waited for: sight and readiness come in the same moment then.
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

    /// Whether sight is back and they are still on their way.
    pub(super) const fn leave(&self) -> bool {
        matches!(self.state, State::Leave { .. })
    }

    /// When the last of them is at the gate, if time tells.
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
        // Blind once more: all of the way again.
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
