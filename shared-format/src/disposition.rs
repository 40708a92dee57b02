//! What became of a part, and why.

use serde::{Deserialize, Serialize};

/// Where a part went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// It went on.
    Pass,
    /// It was put out.
    Reject,
}

/// Why a part went there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its verdict, pass or reject, was there in time.
    Verdict,
    /// Its verdict is `fault`: the safe side.
    Fault,
    /// No verdict was there when it arrived: the safe side.
    Missing,
    /// More parts were under way than the queue holds: the safe side.
    Overflow,
    /// The line was held in its safe state: the safe side.
    Held,
    /// A challenge: known-bad parts are put out whatever their verdict.
    Challenge,
    /// It passes, but the gate was still held for a part before it.
    Swept,
    /// It was served later than it can have been at the gate: it went by without its pulse.
    Missed,
    /// Its trigger was lost, so that nothing looked at it: the safe side.
    TriggerLost,
    /// The encoder's count ran back or jumped while it was under way, so that its place is unknown: the safe side.
    TrackingLost,
}

impl Disposition {
    /// The lower-case word: `pass` or `reject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject => "reject",
        }
    }
}

impl Reason {
    /// The lower-case word used on every output, such as `missing`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Fault => "fault",
            Self::Missing => "missing",
            Self::Overflow => "overflow",
            Self::Held => "held",
            Self::Challenge => "challenge",
            Self::Swept => "swept",
            Self::Missed => "missed",
            Self::TriggerLost => "trigger_lost",
            Self::TrackingLost => "tracking_lost",
        }
    }
}

impl core::fmt::Display for Disposition {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

impl core::fmt::Display for Reason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}
