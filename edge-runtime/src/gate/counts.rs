//! The gate's counters.

use serde::{Deserialize, Serialize};

use crate::part::{Disposition, Reason, Release};

/// Counts of parts by disposition, and of what went wrong. `triggered` = `passed` + `rejected` + `abandoned` + those under
/// way.
///
/// A counter that an older version did not keep reads as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GateCounts {
    /// Parts seen by the trigger.
    pub triggered: u64,
    /// Parts that stayed on the belt.
    pub passed: u64,
    /// Parts that were rejected, for whatever reason.
    pub rejected: u64,
    /// Parts that were under way when an earlier run was cut off: they met the outputs in their safe state.
    pub abandoned: u64,
    /// Parts that were rejected because of the verdict `reject`.
    pub reject_verdicts: u64,
    /// Parts with the verdict `fault`.
    pub faults: u64,
    /// Parts with the verdict `fault` because they may be another product; they are among `faults`, too.
    pub other_products: u64,
    /// Parts that had no verdict when they reached the gate.
    pub missing: u64,
    /// Parts that found the queue full.
    pub overflowed: u64,
    /// Parts that reached the gate while the line was held in its safe state.
    pub held: u64,
    /// Parts that were handled too late to be rejected.
    pub missed: u64,
    /// Parts whose triggers were lost.
    pub triggers_lost: u64,
    /// Parts that were under way when it became unknown how far the belt had moved.
    pub tracking_lost: u64,
    /// Known-bad parts of a challenge.
    pub challenged: u64,
    /// Known-bad parts that were not recognised.
    pub challenges_missed: u64,
    /// Good parts rejected along with a part before them.
    pub swept: u64,
    /// Verdicts that came after their part had gone.
    pub late_verdicts: u64,
    /// Verdicts for parts that were never triggered, or second verdicts for a part.
    pub stray_verdicts: u64,
    /// Rejected parts that were not seen to fall.
    pub unconfirmed: u64,
    /// Falls seen while none was due.
    pub unexpected_falls: u64,
    /// Requests to stop after too many rejects in a row.
    pub stops: u64,
}

impl GateCounts {
    /// Carries the counters of an earlier run over to one that starts now.
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
            Reason::OtherProduct => {
                self.faults += 1;
                self.other_products += 1;
            }
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
