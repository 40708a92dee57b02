//! Parts that passed the camera or trigger while the line was blind: the line is held until they must have passed the gate.

use crate::clock::Moment;
use crate::gate::BeltUnit;

/// Tracks whether there may be unseen parts between trigger and gate. Each call passes the time in.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnseenParts {
    unit: BeltUnit,
    /// The distance from trigger to gate, in nanoseconds of belt time or in ticks.
    distance: u64,
    running: bool,
    state: UnseenState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnseenState {
    /// There are no unseen parts.
    Clear,
    /// The line is blind: unseen parts may be passing now.
    Blind,
    /// The line sees again; the belt has moved the last of them by `travelled` up to `at`.
    Draining { travelled: u64, at: Moment },
}

impl UnseenParts {
    /// Creates a tracker without unseen parts, on a running belt.
    pub(super) const fn new(unit: BeltUnit, distance: u64) -> Self {
        Self { unit, distance, running: true, state: UnseenState::Clear }
    }

    /// Adds ticks of the encoder.
    pub(super) const fn encoder(&mut self, ticks: u32) {
        if let (BeltUnit::Ticks, UnseenState::Draining { travelled, .. }) = (self.unit, &mut self.state) {
            *travelled = travelled.saturating_add(ticks as u64);
        }
    }

    /// Records that the belt was started or stopped.
    pub(super) fn belt(&mut self, running: bool, at: Moment) {
        self.advance(at);
        self.running = running;
    }

    /// Updates the state and returns whether the line must be held: it is blind, or unseen parts may be on their way.
    /// Parts from before the line was first ready are not waited for: there, sight and readiness come at the same moment.
    pub(super) fn update(&mut self, blind: bool, ready: bool, now: Moment) -> bool {
        self.advance(now);
        self.state = match self.state {
            _ if blind && ready => UnseenState::Blind,
            UnseenState::Blind if !blind => UnseenState::Draining { travelled: 0, at: now },
            UnseenState::Draining { travelled, .. } if travelled >= self.distance => UnseenState::Clear,
            state => state,
        };
        blind || self.state != UnseenState::Clear
    }

    /// Whether the line sees again but unseen parts are still on their way.
    pub(super) const fn is_draining(&self) -> bool {
        matches!(self.state, UnseenState::Draining { .. })
    }

    /// Returns when the last of them reaches the gate, if that is measured by time.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        match self.state {
            UnseenState::Draining { travelled, at } if self.unit == BeltUnit::Time && self.running => {
                Some(at + std::time::Duration::from_nanos(self.distance.saturating_sub(travelled)))
            }
            _ => None,
        }
    }

    fn advance(&mut self, now: Moment) {
        if let (BeltUnit::Time, UnseenState::Draining { travelled, at }) = (self.unit, &mut self.state) {
            let passed = now.0.saturating_sub(at.0);
            *at = now.max(*at);
            if self.running {
                *travelled = travelled.saturating_add(passed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_they_have_left_when_the_belt_has_run_for_as_long_as_the_way_takes() {
        let mut unseen = UnseenParts::new(BeltUnit::Time, 100);
        assert!(!unseen.update(false, true, Moment(5)));
        assert!(unseen.update(true, true, Moment(10)) && !unseen.is_draining());
        assert_eq!(unseen.next_wake(), None);
        assert!(unseen.update(false, true, Moment(50)) && unseen.is_draining());
        assert_eq!(unseen.next_wake(), Some(Moment(150)));
        unseen.belt(false, Moment(80));
        assert_eq!(unseen.next_wake(), None);
        unseen.belt(true, Moment(1000));
        assert_eq!(unseen.next_wake(), Some(Moment(1070)));
        assert!(unseen.update(false, true, Moment(1069)));
        assert!(!unseen.update(false, true, Moment(1070)));
    }

    #[test]
    fn by_ticks_they_have_left_when_as_many_have_come() {
        let mut unseen = UnseenParts::new(BeltUnit::Ticks, 100);
        unseen.update(true, true, Moment(0));
        unseen.encoder(500);
        assert!(unseen.update(false, true, Moment(1)));
        unseen.encoder(99);
        assert!(unseen.update(false, true, Moment(1_000_000_000)));
        assert_eq!(unseen.next_wake(), None);
        // Blind once more: the whole distance counts again.
        assert!(unseen.update(true, true, Moment(1_000_000_001)));
        assert!(unseen.update(false, true, Moment(1_000_000_002)));
        unseen.encoder(99);
        assert!(unseen.update(false, true, Moment(1_000_000_003)));
        unseen.encoder(1);
        assert!(!unseen.update(false, true, Moment(1_000_000_004)));
    }

    #[test]
    fn a_line_that_becomes_ready_seeing_is_not_held() {
        let mut unseen = UnseenParts::new(BeltUnit::Time, 100);
        assert!(unseen.update(true, false, Moment(1)));
        assert!(!unseen.update(false, true, Moment(2)), "both at once");
        assert!(unseen.update(true, true, Moment(3)));
        assert!(unseen.update(false, true, Moment(4)));
    }
}
