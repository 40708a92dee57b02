//! What came of learning, for programs: `learn --report FILE`.

use std::path::Path;

use bundle::atomic::write_file;
use serde::{Deserialize, Serialize};

use super::comparison::{Comparison, JudgedRecord};

/// How many of the decided records of one kind pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Passing {
    /// Records of this kind.
    pub of: usize,
    /// Those that pass with the bundle in use.
    pub before: usize,
    /// Those that would pass with the next one.
    pub after: usize,
}

/// What came of learning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearnReport {
    /// Why nothing was learned; the other fields are then empty.
    pub error: Option<String>,
    /// Good parts that were learned from, and how many of them are false alarms.
    pub parts: usize,
    /// False alarms among them.
    pub learned_false_alarms: usize,
    /// The threshold of the next bundle, and that of the one in use.
    pub threshold: Option<f32>,
    /// The threshold of the bundle in use.
    pub threshold_before: Option<f32>,
    /// What the next bundle claims, in a sentence.
    pub claim: String,
    /// What changes for the decided records, in a sentence; empty if there are none.
    pub changes: String,
    /// Records decided as false alarms.
    pub false_alarms: Passing,
    /// Records decided as defects.
    pub defects: Passing,
    /// Records that nobody could tell.
    pub unsure: Passing,
    /// The file names of photos, or the names of records, that look unlike the other parts.
    pub suspects: Vec<String>,
    /// What to know before it is put in place.
    pub warnings: Vec<String>,
    /// Why the bundle in use is kept.
    pub refusals: Vec<String>,
    /// How far the golden frames' scores were from those where the bundle was made, at most; `None` if that wasn't measured.
    pub golden: Option<f32>,
    /// Whether the next bundle is in the place of the one in use.
    pub applied: bool,
    /// How long it took.
    pub seconds: f64,
}

impl LearnReport {
    /// Counts the records that pass.
    pub fn compare(&mut self, comparison: &Comparison) {
        self.false_alarms = passing(&comparison.false_alarms);
        self.defects = passing(&comparison.defects);
        self.unsure = passing(&comparison.unsure);
        self.changes = comparison.sentence();
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The file system's error.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        write_file(path, &serde_json::to_vec_pretty(self)?)
    }
}

fn passing(records: &[JudgedRecord]) -> Passing {
    Passing {
        of: records.len(),
        before: records.iter().filter(|record| record.before.passes).count(),
        after: records.iter().filter(|record| record.after.passes).count(),
    }
}
