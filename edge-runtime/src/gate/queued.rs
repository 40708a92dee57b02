//! A part between trigger and gate, and one whose way is settled.

use std::time::Duration;

use shared_format::Verdict;

use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{Disposition, PartNumber, PartVerdict, Reason, Release};

/// A part under way, or several of which nothing is known but between which places they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    pub part: PartNumber,
    pub last: PartNumber,
    pub product: u16,
    pub triggered_at: Moment,
    pub release: u64,
    pub until: u64,
    /// Of the first of them.
    pub verdict: Option<PartVerdict>,
    /// How many of them are known to be bad.
    pub challenge: u32,
    /// Why nothing is known of it: `Overflow`, `TriggerLost` or `TrackingLost`.
    pub unknown: Option<Reason>,
}

impl Queued {
    /// Whether it goes, or may still go, to the reject side.
    pub fn may_be_rejected(&self, safe: Safe) -> bool {
        let verdict = self.verdict.filter(|_| self.unknown.is_none()).map(|verdict| verdict.verdict);
        match verdict {
            _ if self.challenge > 0 => true,
            Some(Verdict::Reject) | None => true,
            Some(Verdict::Fault) => safe == Safe::Reject,
            Some(Verdict::Pass) => false,
        }
    }

    /// How many parts it stands for.
    pub const fn parts(&self) -> u64 {
        self.last.saturating_sub(self.part).saturating_add(1)
    }

    /// Whether it is one known-bad part that was seen to be bad.
    pub fn is_recognised(&self) -> bool {
        self.part == self.last && self.verdict.is_some_and(|verdict| verdict.verdict == Verdict::Reject)
    }
}

/// A part whose way is settled, or several that go the same way. What is left to do is to count and report them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    /// The next one to be reported.
    pub part: PartNumber,
    pub last: PartNumber,
    pub product: u16,
    pub triggered_at: Moment,
    pub released_at: Moment,
    pub lateness: Duration,
    pub verdict: Option<PartVerdict>,
    pub disposition: Disposition,
    pub reason: Reason,
}

impl Settled {
    /// The next one's report.
    pub fn release(&self) -> Release {
        Release {
            part: self.part,
            product: self.product,
            triggered_at: self.triggered_at,
            released_at: self.released_at,
            lateness: self.lateness,
            verdict: self.verdict.filter(|verdict| verdict.part == self.part),
            disposition: self.disposition,
            reason: self.reason,
        }
    }
}
