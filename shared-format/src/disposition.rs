//! What became of a part, and why.

use serde::{Deserialize, Serialize};

/// Where a part went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// It continued along the belt.
    Pass,
    /// It was taken off the belt.
    Reject,
}

/// Why a part went where it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its verdict, pass or reject, arrived in time.
    Verdict,
    /// Its verdict is `fault`; it went to the safe side.
    Fault,
    /// Its verdict was not there when it reached the gate; it went to the safe side.
    Missing,
    /// More parts were in transit than the queue holds; it went to the safe side.
    Overflow,
    /// The line was held in its safe state; it went to the safe side.
    Held,
    /// A challenge part, known to be bad: rejected whatever its verdict.
    Challenge,
    /// It should have passed, but the gate was still active for an earlier part.
    Swept,
    /// It was handled too late: it had already passed the gate, without its pulse.
    Missed,
    /// Its trigger was lost, so it was never inspected; it went to the safe side.
    TriggerLost,
    /// The encoder fell silent, or its count ran backwards or jumped, while the part was in transit: its position is unknown, and it
    /// went to the safe side.
    TrackingLost,
    /// Its verdict is `fault` because it may be another product; it went to the safe side.
    OtherProduct,
}

impl Disposition {
    /// Returns the lower-case word: `pass` or `reject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject => "reject",
        }
    }
}

impl Reason {
    /// Returns the lower-case word used on every output, such as `missing`.
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
            Self::OtherProduct => "other_product",
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
