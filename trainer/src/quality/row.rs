//! The result of a job.

use bundle::evaluate::{ConfidenceInterval, Figures};
use serde::{Deserialize, Serialize};

use super::job::{Job, Origin};

/// A method on a set, with its figures or why there are none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityRow {
    /// See [`Job::key`].
    pub key: String,
    /// The set's name.
    pub set: String,
    /// The method's name.
    pub method: String,
    /// Whose settings.
    pub recipe: Origin,
    /// Seed for the split and everything random.
    pub seed: u64,
    /// The teacher's name.
    pub teacher: String,
    /// The program's version.
    pub version: String,
    /// The figures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub measured: Option<Measured>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<String>,
}

impl QualityRow {
    /// Creates the row of a job.
    #[must_use]
    pub fn of(job: &Job<'_>, result: Result<Measured, String>) -> Self {
        let (measured, failed) = match result {
            Ok(measured) => (Some(measured), None),
            Err(reason) => (None, Some(reason)),
        };
        Self {
            key: job.key(),
            set: job.set.name.clone(),
            method: job.method.to_owned(),
            recipe: job.recipe,
            seed: job.seed,
            teacher: job.teacher.clone(),
            version: job.version.clone(),
            measured,
            failed,
        }
    }

    /// Returns the method's name and whose settings it used, for display.
    #[must_use]
    pub fn name(&self) -> String {
        match self.recipe {
            Origin::Ours => self.method.clone(),
            Origin::Published => format!("{}, published", self.method),
        }
    }
}

/// The figures of a method on a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Number of normals that were learned from or calibrated with.
    pub normals: usize,
    /// At the threshold for 1 % false alarms.
    pub figures: Figures,
    /// At the threshold for 5 %.
    pub at_5_percent: Shares,
    /// The score of each test image that has one, and whether the part is defective, sorted by name: differences
    /// between methods are computed from these.
    pub scores: Vec<(f32, bool)>,
    /// Billions of multiply-adds per frame.
    pub gmac: f64,
    /// Milliseconds to judge a decoded frame on one thread: the median.
    pub frame_ms: f64,
    /// Seconds to train.
    pub train_s: f64,
}

/// The shares of parts that a threshold rejects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Of the good parts.
    pub good: Option<f64>,
    /// Of the defective ones.
    pub defective: Option<f64>,
    /// The interval of `good`.
    pub good_interval: Option<ConfidenceInterval>,
    /// The interval of `defective`.
    pub defective_interval: Option<ConfidenceInterval>,
}
