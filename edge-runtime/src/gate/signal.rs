//! What the gate asks of its outputs.

use crate::part::Release;

/// An output of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Out with the part.
    Reject,
    /// The part may go on.
    Pass,
    /// Something is wrong, see [`Alarms`](super::Alarms); also the request to stop the line.
    Fault,
    /// A part is exposed.
    Strobe,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reject, Self::Pass, Self::Fault, Self::Strobe];
}

/// What the gate wants done, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Drive an output.
    Set(Signal, bool),
    /// A part has passed the gate: report it.
    Released(Release),
}
