//! Learning rate, length and batch size of a student's training.

use crate::schedule::Schedule;

/// The share of the steps after which the published rate drops to a tenth.
const LATE: f64 = 0.95;

/// Length, learning rate, batch size, and the share of a step's features that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyperparameters {
    /// Adam's rate at the first step.
    pub rate: f64,
    /// The student learns from the features whose differences reach this quantile.
    pub hard: f64,
    /// Number of samples in a step.
    pub batch: usize,
    /// Default number of steps.
    pub steps: u64,
}

impl Hyperparameters {
    /// The paper's hyperparameters.
    pub const PUBLISHED: Self = Self { rate: 1e-4, hard: 0.999, batch: 1, steps: 70_000 };

    /// Returns Adam's rate at step `step` (from 0) of `total`.
    #[must_use]
    pub fn rate(&self, schedule: Schedule, step: u64, total: u64) -> f64 {
        let published = || if (step as f64) < LATE * total as f64 { self.rate } else { 0.1 * self.rate };
        schedule.rate(self.rate, step, total).unwrap_or_else(published)
    }
}
