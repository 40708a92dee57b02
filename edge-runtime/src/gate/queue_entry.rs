//! A part between trigger and gate, and a settled one that waits to be reported.

use std::time::Duration;

use shared_format::Verdict;

use crate::clock::Moment;
use crate::line_file::Safe;
use crate::part::{Disposition, PartNumber, PartVerdict, Reason, Release};

/// A part under way, or several unknown parts: all that is known is the two positions they are between.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueEntry {
    pub part: PartNumber,
    pub last: PartNumber,
    pub product: u16,
    pub triggered_at: Moment,
    pub release: u64,
    pub until: u64,
    /// Verdict of the first of them.
    pub verdict: Option<PartVerdict>,
    /// How many of them are known to be bad.
    pub challenge: u32,
    /// Why nothing is known about it: `Overflow`, `TriggerLost` or `TrackingLost`.
    pub unknown: Option<Reason>,
}

impl QueueEntry {
    /// Returns whether it goes, or may still go, to the reject side.
    pub fn may_be_rejected(&self, safe: Safe) -> bool {
        let verdict = self.verdict.filter(|_| self.unknown.is_none()).map(|verdict| verdict.verdict);
        match verdict {
            _ if self.challenge > 0 => true,
            Some(Verdict::Reject) | None => true,
            Some(Verdict::Fault) => safe == Safe::Reject,
            Some(Verdict::Pass) => false,
        }
    }

    /// Returns how many parts it stands for.
    pub const fn parts(&self) -> u64 {
        self.last.saturating_sub(self.part).saturating_add(1)
    }

    /// Returns whether it is a single known-bad part that was recognised as bad.
    pub fn is_recognised(&self) -> bool {
        self.part == self.last && self.verdict.is_some_and(|verdict| verdict.verdict == Verdict::Reject)
    }
}

/// A part whose disposition is settled, or several with the same one. All that is left is to count and report them.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettledEntry {
    /// The next part to be reported.
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

impl SettledEntry {
    /// Returns the next part's report.
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
