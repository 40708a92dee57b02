//! What the gate has seen and done.

use serde::{Deserialize, Serialize};

use crate::part::{Disposition, Reason, Release};

/// Parts by what became of them, and what went wrong. `triggered` = `passed` + `rejected` + `abandoned` + those under way.
///
/// A count that an older program did not keep reads as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Parts seen by the trigger.
    pub triggered: u64,
    /// Parts that went on.
    pub passed: u64,
    /// Parts that were put out, for whatever reason.
    pub rejected: u64,
    /// Parts that were under way when an earlier run was cut off: they met outputs in their safe state.
    pub abandoned: u64,
    /// Parts that were put out with the verdict `reject`.
    pub reject_verdicts: u64,
    /// Parts with the verdict `fault`.
    pub faults: u64,
    /// Parts that had no verdict when they arrived.
    pub missing: u64,
    /// Parts that found the queue full.
    pub overflowed: u64,
    /// Parts that arrived while the line was held in its safe state.
    pub held: u64,
    /// Parts that were served too late to be put out.
    pub missed: u64,
    /// Parts whose trigger was lost.
    pub triggers_lost: u64,
    /// Parts that were under way when the encoder's count ran back or jumped.
    pub tracking_lost: u64,
    /// Known-bad parts of a challenge.
    pub challenged: u64,
    /// … that were not recognised.
    pub challenges_missed: u64,
    /// Good parts put out with a part before them.
    pub swept: u64,
    /// Verdicts that came after their part.
    pub late_verdicts: u64,
    /// Verdicts for parts that nobody triggered, or a second one.
    pub stray_verdicts: u64,
    /// Rejected parts that were not seen to fall.
    pub unconfirmed: u64,
    /// Falls while none was due.
    pub unexpected_falls: u64,
    /// Requests to stop after too many rejects in a row.
    pub stops: u64,
}

impl Counts {
    /// Counts of an earlier run, for one that starts now.
    pub(super) const fn resumed(mut self) -> Self {
        self.abandoned = self.triggered.saturating_sub(self.passed).saturating_sub(self.rejected);
        self
    }

    /// Counts a part that has passed the gate.
    pub(super) fn release(&mut self, release: &Release) {
        match release.disposition {
            Disposition::Pass => self.passed += 1,
            Disposition::Reject => self.rejected += 1,
        }
        match release.reason {
            Reason::Verdict if release.disposition == Disposition::Reject => self.reject_verdicts += 1,
            Reason::Verdict => {}
            Reason::Fault => self.faults += 1,
            Reason::Missing => self.missing += 1,
            Reason::Overflow => self.overflowed += 1,
            Reason::Held => self.held += 1,
            Reason::Challenge => self.challenged += 1,
            Reason::Swept => self.swept += 1,
            Reason::Missed => self.missed += 1,
            Reason::TriggerLost => self.triggers_lost += 1,
            Reason::TrackingLost => self.tracking_lost += 1,
        }
    }
}
