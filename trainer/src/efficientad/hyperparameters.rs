//! Learning rate, length and batch size of a student's training.

use crate::schedule::Schedule;
use crate::training::Rate;

/// Length, learning rate, batch size, and the share of a step's features that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyperparameters {
    /// Adam's rate at the first step.
    pub rate: f64,
    /// The student learns from the features whose differences reach this quantile.
    pub hard: f64,
    /// Number of samples in a step.
    pub batch: usize,
    /// Default number of steps; the maximum if `minutes` is set.
    pub steps: u64,
    /// Default maximum time; `None` if the length is fixed.
    pub minutes: Option<f64>,
}

impl Hyperparameters {
    /// The paper's hyperparameters.
    pub const PUBLISHED: Self = Self { rate: 1e-4, hard: 0.999, batch: 1, steps: 70_000, minutes: None };

    /// Returns Adam's rate on this schedule.
    #[must_use]
    pub const fn rate(&self, schedule: Schedule) -> Rate {
        match schedule {
            Schedule::Published => Rate::Dropping(self.rate),
            Schedule::Short => Rate::Cosine(self.rate),
        }
    }
}
