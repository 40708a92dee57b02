//! What changes for the decided records between the bundle in use and the next one.

use judge::{Judge, decode_file_within};
use shared_format::Verdict;

use super::decisions::{DecidedRecord, Decisions};
use super::material::Material;

/// How a bundle judges a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Its score.
    pub score: f32,
    /// Whether its part would pass.
    pub passes: bool,
}

/// A decided record, judged by both bundles.
#[derive(Debug, Clone)]
pub struct JudgedRecord {
    /// The record.
    pub record: DecidedRecord,
    /// By the bundle in use.
    pub before: Judged,
    /// By the next bundle. A false alarm, from which that has learned, is judged by a model of the other parts: so will new
    /// parts like it be.
    pub after: Judged,
}

/// All decided records that can be judged.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The false alarms.
    pub false_alarms: Vec<JudgedRecord>,
    /// The defects.
    pub defects: Vec<JudgedRecord>,
    /// The others.
    pub unsure: Vec<JudgedRecord>,
    /// One sentence for each record that can't be judged.
    pub skipped: Vec<String>,
}

impl Comparison {
    /// Judges the decided records with the bundle in use and the next one. `held_out` holds the scores of the parts of
    /// `material`, each by a model of the others.
    #[must_use]
    pub fn new(
        decisions: &Decisions,
        material: &Material,
        held_out: &[f32],
        old: &mut Judge,
        new: &mut Judge,
    ) -> Self {
        let mut comparison = Self::default();
        let threshold = new.bundle().thresholds.image_threshold;
        let scores = held_out.iter().skip(material.photos());
        for (record, &score) in material.false_alarms.iter().zip(scores) {
            let after = Judged { score, passes: Verdict::of(score, threshold) == Verdict::Pass };
            match judged(record, old) {
                Ok(before) => {
                    comparison.false_alarms.push(JudgedRecord { record: record.clone(), before, after })
                }
                Err(reason) => comparison.skipped.push(reason),
            }
        }
        // Where none was learned from, they are judged as any other part.
        let unlearned: &[DecidedRecord] =
            if material.false_alarms.is_empty() { &decisions.false_alarms } else { &[] };
        for (records, judged_records) in [
            (unlearned, &mut comparison.false_alarms),
            (&decisions.defects, &mut comparison.defects),
            (&decisions.unsure, &mut comparison.unsure),
        ] {
            for record in records {
                match judged(record, old).and_then(|before| Ok((before, judged(record, new)?))) {
                    Ok((before, after)) => {
                        judged_records.push(JudgedRecord { record: record.clone(), before, after })
                    }
                    Err(reason) => comparison.skipped.push(reason),
                }
            }
        }
        comparison
    }

    /// Returns the defects that are rejected now and would pass.
    pub fn new_escapes(&self) -> impl Iterator<Item = &JudgedRecord> {
        self.defects.iter().filter(|defect| !defect.before.passes && defect.after.passes)
    }

    /// Returns the defects that pass now and still would.
    pub fn remaining_escapes(&self) -> impl Iterator<Item = &JudgedRecord> {
        self.defects.iter().filter(|defect| defect.before.passes && defect.after.passes)
    }

    /// Says in one sentence what changes.
    #[must_use]
    pub fn sentence(&self) -> String {
        let clause = |records: &[JudgedRecord], what: &str| {
            let pass = |judged: fn(&JudgedRecord) -> Judged| {
                records.iter().filter(|record| judged(record).passes).count()
            };
            let (after, before) = (pass(|record| record.after), pass(|record| record.before));
            (!records.is_empty())
                .then(|| format!("{after} of {} {what} would pass ({before} now)", records.len()))
        };
        let clauses = [
            clause(&self.false_alarms, "false alarms"),
            clause(&self.defects, "defects"),
            clause(&self.unsure, "unsure"),
        ];
        clauses.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Judges a record's frame.
///
/// # Errors
/// A sentence that says why it can't be judged.
pub(super) fn judged(record: &DecidedRecord, judge: &mut Judge) -> Result<Judged, String> {
    let max_size = judge.bundle().thresholds.recipe.frames.max_admitted();
    let (_, judgement) = judge.judge_from(|| decode_file_within(&record.frame, max_size));
    match (judgement.score, judgement.fault) {
        (Some(score), None) => Ok(Judged { score, passes: judgement.verdict == Verdict::Pass }),
        (_, Some(fault)) => Err(format!("{}: {fault}", record.name)),
        (None, None) => Err(format!("{}: it got no score", record.name)),
    }
}
