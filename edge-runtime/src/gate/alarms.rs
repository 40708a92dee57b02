//! The alarms that drive the fault output, and the reasons to hold the line in its safe state.

use serde::Serialize;

/// A reason to hold the line in its safe state: while any is active, every part goes to the safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The program is starting or shutting down.
    NotReady,
    /// Parts can't be detected or tracked: the camera or the input that tells of them is gone, or the encoder is silent.
    Blind,
    /// An output could not be driven.
    Output,
}

/// The alarms that drive the fault output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Alarms {
    /// Held: the program is starting or shutting down.
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
    /// Parts were handled too late to be rejected.
    pub missed: bool,
    /// Triggers were lost.
    pub triggers_lost: bool,
    /// It is unknown how far the belt moved: the encoder count ran backwards or jumped, or the encoder was silent.
    pub tracking_lost: bool,
}

impl Alarms {
    /// Returns whether the line is held in its safe state.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.not_ready || self.blind || self.output_failed
    }

    /// Returns whether the fault output is on.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.is_held()
            || self.rejects_in_a_row
            || self.challenge_missed
            || self.unconfirmed
            || self.missed
            || self.triggers_lost
            || self.tracking_lost
    }
}
