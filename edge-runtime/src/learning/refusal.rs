//! Why the bundle in use is kept.

use std::fmt;

use bundle::{Calibration, ThresholdRule};
use shared_format::ThresholdFile;

use super::comparison::Comparison;

/// Maximum number of records that are named.
const MAX_NAMED: usize = 5;

/// Why the bundle in use is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// Defects that are rejected now would pass.
    Escapes {
        /// Each with its kind.
        named: Vec<String>,
        /// The number of defects.
        of: usize,
    },
    /// The next bundle would claim less.
    Claim {
        /// The share of false alarms that the bundle in use claims at most.
        before: f64,
        /// That of the next bundle.
        after: f64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escapes { named, of } => {
                let more = match named.len().saturating_sub(MAX_NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let first = named.get(..MAX_NAMED).unwrap_or(named).join(", ");
                write!(
                    f,
                    "{} of {of} defects that are rejected now would pass: {first}{more}; look at these and at the false \
                     alarms with the highest scores, and mark those that were marked wrongly again",
                    named.len()
                )
            }
            Self::Claim { before, after } => write!(
                f,
                "it would claim {:.2} % false alarms, the bundle in use claims {:.2} %; give photos of at least as many good \
                 parts as the bundle in use was made from",
                100.0 * after,
                100.0 * before
            ),
        }
    }
}

/// Returns why the bundle in use is to be kept; nothing if the next one may take its place.
#[must_use]
pub fn refusals(
    comparison: &Comparison,
    old: &ThresholdFile,
    new: &Calibration,
    rule: ThresholdRule,
) -> Vec<Refusal> {
    let mut refusals = vec![];
    let named: Vec<String> = comparison
        .new_escapes()
        .map(|defect| {
            let kind = defect.record.entry.kind.as_ref().map(|kind| format!(" ({})", kind.as_str()));
            format!("{}{}", defect.record.name, kind.unwrap_or_default())
        })
        .collect();
    if !named.is_empty() {
        refusals.push(Refusal::Escapes { named, of: comparison.defects.len() });
    }
    let (before, after) = (old.evidence.claimed_fpr(), new.evidence.claimed_fpr());
    // An estimate promises no bound that it could break, but takes the place of a claim only if a person asks for it.
    let claims = match rule {
        ThresholdRule::Claim => true,
        // The target is stored in 32 bits.
        ThresholdRule::Auto => before as f32 <= old.evidence.target_fpr,
        ThresholdRule::Estimate => false,
    };
    if claims && !new.reaches_target && after > before {
        refusals.push(Refusal::Claim { before, after });
    }
    refusals
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bundle::Calibrator;
    use judge::THRESHOLD_FILE;

    use super::super::{DecidedRecord, Judged, JudgedRecord};
    use super::*;
    use crate::clock::WallTime;
    use crate::record::RecordName;
    use crate::review::{Decision, Entry};

    fn calibration(normals: u16, rule: ThresholdRule) -> Calibration {
        let mut calibrator = Calibrator::cross_fitted(0.5, vec![]);
        (0..normals).for_each(|at| calibrator.add_score(at.to_string(), f32::from(at)));
        calibrator.finish(0.01, rule).unwrap()
    }

    fn defect(part: u64, before: bool, after: bool) -> JudgedRecord {
        let captured = WallTime::read("2026-11-25").unwrap();
        let name = RecordName { run: 1, part, frame: 1, captured };
        let entry =
            Entry::new(Decision::Defect, Some("dent".parse().unwrap()), None, "anna".to_owned()).unwrap();
        let record = DecidedRecord { name, entry, frame: PathBuf::from(THRESHOLD_FILE) };
        let judged = |passes| Judged { score: 1.0, passes };
        JudgedRecord { record, before: judged(before), after: judged(after) }
    }

    /// The thresholds in use, calibrated with this many parts.
    fn in_use(normals: u16) -> ThresholdFile {
        let mut file = crate::testing::thresholds();
        file.evidence = calibration(normals, ThresholdRule::Claim).evidence;
        file
    }

    #[test]
    fn defects_that_would_pass_are_named_and_those_that_pass_already_refuse_nothing() {
        let mut comparison = Comparison::default();
        comparison.defects.extend((1..=20).map(|part| defect(part, false, false)));
        comparison.defects.push(defect(21, true, true));
        let of = |comparison: &Comparison| {
            refusals(comparison, &in_use(50), &calibration(60, ThresholdRule::Claim), ThresholdRule::Claim)
        };
        assert_eq!(of(&comparison), []);
        comparison.defects.extend((22..=28).map(|part| defect(part, false, true)));
        let told = of(&comparison)[0].to_string();
        let first =
            "7 of 28 defects that are rejected now would pass: 20261125-000000-000001-00000022 (dent), ";
        assert!(told.starts_with(first) && told.contains(" and 2 more"), "{told}");
    }

    #[test]
    fn a_weaker_claim_is_refused_unless_none_was_made() {
        let of = |before, after, rule| {
            refusals(&Comparison::default(), &in_use(before), &calibration(after, rule), rule).len()
        };
        assert_eq!(of(50, 64, ThresholdRule::Claim), 0);
        assert_eq!(of(50, 20, ThresholdRule::Claim), 1);
        // Both reach the target.
        assert_eq!(of(400, 120, ThresholdRule::Claim), 0);
        assert_eq!(of(50, 20, ThresholdRule::Estimate), 0);
        // Chosen by the program, an estimate takes the place of an estimate, but not of a claim.
        assert_eq!(of(50, 20, ThresholdRule::Auto), 0);
        for claimed in [199, 299, 400, 499] {
            assert_eq!(of(claimed, 50, ThresholdRule::Auto), 1, "{claimed}");
        }
    }
}
