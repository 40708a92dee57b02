//! What drives the fault output, and what holds the line in its safe state.

use serde::Serialize;

/// Why the line is held in its safe state: while one holds, every part goes to the safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The program is starting or ending.
    NotReady,
    /// No frames, and nothing else says when a part comes.
    Blind,
    /// An output could not be driven.
    Output,
}

/// What drives the fault output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Alarms {
    /// Held: the program is starting or ending.
    pub not_ready: bool,
    /// Held: parts may pass unseen.
    pub blind: bool,
    /// Held: an output could not be driven.
    pub output_failed: bool,
    /// Too many rejects in a row.
    pub rejects_in_a_row: bool,
    /// A known-bad part was not recognised.
    pub challenge_missed: bool,
    /// The last rejected part was not seen to fall.
    pub unconfirmed: bool,
    /// Parts were served too late to be put out.
    pub missed: bool,
    /// Triggers were lost.
    pub triggers_lost: bool,
    /// The encoder's count ran back or jumped.
    pub tracking_lost: bool,
}

impl Alarms {
    /// Whether the line is held in its safe state.
    #[must_use]
    pub const fn hold(&self) -> bool {
        self.not_ready || self.blind || self.output_failed
    }

    /// Whether the fault output is on.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.hold()
            || self.rejects_in_a_row
            || self.challenge_missed
            || self.unconfirmed
            || self.missed
            || self.triggers_lost
            || self.tracking_lost
    }
}
