//! The gate's outputs and the actions it requests.

use crate::line_file::Safe;
use crate::part::Release;

/// An output of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The part is taken off the belt.
    Reject,
    /// The part may go on.
    Pass,
    /// Something is wrong, see [`Alarms`](super::Alarms); also requests a stop of the line.
    Fault,
    /// A part is being exposed.
    Strobe,
}

impl Signal {
    /// All outputs.
    pub const ALL: [Self; 4] = [Self::Reject, Self::Pass, Self::Fault, Self::Strobe];

    /// Returns its level in the safe state: parts go to the safe side, and the fault output is on.
    #[must_use]
    pub const fn safe_level(self, safe: Safe) -> bool {
        match (self, safe) {
            (Self::Reject, Safe::Reject) | (Self::Pass, Safe::Pass) | (Self::Fault, _) => true,
            (Self::Reject, Safe::Pass) | (Self::Pass, Safe::Reject) | (Self::Strobe, _) => false,
        }
    }
}

/// An action that the gate requests; actions are carried out in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Drive an output.
    Set(Signal, bool),
    /// A part has passed the gate: report it.
    Released(Release),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safe_state_is_on_one_side_and_says_fault() {
        let on = |safe| Signal::ALL.into_iter().filter(|signal| signal.safe_level(safe)).collect::<Vec<_>>();
        assert_eq!(on(Safe::Reject), [Signal::Reject, Signal::Fault]);
        assert_eq!(on(Safe::Pass), [Signal::Pass, Signal::Fault]);
    }
}
