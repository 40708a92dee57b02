//! A part between trigger and gate.

use shared_format::Verdict;

use crate::line_file::Safe;
use crate::moment::Moment;
use crate::part::{PartNumber, PartVerdict, Reason};

/// A part under way, or several of which nothing is known but between which places they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    pub part: PartNumber,
    pub last: PartNumber,
    pub product: u16,
    pub triggered_at: Moment,
    pub release: u64,
    pub until: u64,
    pub verdict: Option<PartVerdict>,
    /// Known to be bad.
    pub challenge: bool,
    /// Why nothing is known of it: `Overflow`, `TriggerLost` or `TrackingLost`.
    pub unknown: Option<Reason>,
}

impl Queued {
    /// Whether it goes, or may still go, to the reject side.
    pub fn may_be_rejected(&self, safe: Safe) -> bool {
        let verdict = self.verdict.filter(|_| self.unknown.is_none()).map(|verdict| verdict.verdict);
        match verdict {
            _ if self.challenge => true,
            Some(Verdict::Reject) | None => true,
            Some(Verdict::Fault) => safe == Safe::Reject,
            Some(Verdict::Pass) => false,
        }
    }
}
