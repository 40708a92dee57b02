//! The verdict on a frame.

use serde::{Deserialize, Serialize};

/// What is decided about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The score is at most the threshold.
    Pass,
    /// The score is above the threshold.
    Reject,
    /// No trustworthy score exists: bad input, a broken model, a failed stage. Drives the outputs to the safe state.
    Fault,
}

impl Verdict {
    /// Returns the verdict for a score. It is [`Verdict::Fault`], never a pass, if the score or the threshold is not
    /// finite.
    #[must_use]
    pub fn of(score: f32, threshold: f32) -> Self {
        if !score.is_finite() || !threshold.is_finite() {
            Self::Fault
        } else if score > threshold {
            Self::Reject
        } else {
            Self::Pass
        }
    }

    /// Returns the lower-case word used on every output: `pass`, `reject` or `fault`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Reject => "reject",
            Self::Fault => "fault",
        }
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn a_score_at_the_threshold_passes_and_one_above_is_rejected() {
        assert_eq!(Verdict::of(1.0, 1.0), Verdict::Pass);
        assert_eq!(Verdict::of(1.000_001, 1.0), Verdict::Reject);
    }

    #[test]
    fn what_is_not_finite_is_a_fault() {
        for (score, threshold) in
            [(f32::NAN, 1.0), (f32::INFINITY, 1.0), (f32::NEG_INFINITY, 1.0), (0.0, f32::NAN)]
        {
            assert_eq!(Verdict::of(score, threshold), Verdict::Fault);
        }
    }
}
