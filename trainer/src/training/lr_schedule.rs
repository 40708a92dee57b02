//! The learning rate of each step, and when training ends.

use crate::schedule::half_cosine;

/// Steps of a linear warm-up.
const WARM_UP: f64 = 15.0;
/// A selection figure that is lower by less than this share isn't progress …
const PROGRESS: f64 = 0.01;
/// … and after this many checks without progress the rate falls.
const PATIENCE: u64 = 4;
/// The share of the steps after which [`Rate::Dropping`] drops.
const LATE: f64 = 0.95;

/// The learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// The same in all steps.
    Constant(f64),
    /// Rises to this within a few steps, stays, and falls to 0 over the last quarter. Ends early without progress.
    Falling(f64),
    /// Falls from this along half a cosine to 0 at the last step.
    Cosine(f64),
    /// Drops to a tenth after 95 % of the steps.
    Dropping(f64),
}

/// The progress of a training between its first step and its last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LrSchedule {
    rate: Rate,
    /// Number of steps at the start.
    planned: u64,
    /// Total number of steps: fewer than planned if training ends early.
    pub total: u64,
    /// The step at which the rate begins to fall.
    falls_from: u64,
    /// The selection figure that the next must fall below by [`PROGRESS`].
    reference: f64,
    /// Number of checks since the last progress.
    stale: u64,
}

impl LrSchedule {
    /// The share of a training before the rate falls to 0: with the fall, the result doesn't depend on luck in the last step.
    pub const HOLD: f64 = 0.75;

    /// Starts a training of at most `total` steps.
    #[must_use]
    pub fn new(rate: Rate, total: u64) -> Self {
        let falls_from = (total as f64 * Self::HOLD) as u64;
        Self { rate, planned: total, total, falls_from, reference: f64::INFINITY, stale: 0 }
    }

    /// Returns the rate of step `step` (from 0).
    #[must_use]
    pub fn rate(&self, step: u64) -> f64 {
        let left = self.total.saturating_sub(step) as f64 / (self.total - self.falls_from).max(1) as f64;
        match self.rate {
            Rate::Constant(rate) => rate,
            Rate::Falling(peak) => {
                let warm_up = (step as f64 + 1.0) / WARM_UP.min(self.total as f64);
                peak * warm_up.min(1.0) * left.min(1.0)
            }
            Rate::Cosine(peak) => {
                let ends_early = self.total < self.planned;
                half_cosine(peak, step, self.planned) * if ends_early { left.min(1.0) } else { 1.0 }
            }
            Rate::Dropping(rate) if (step as f64) < LATE * self.planned as f64 => rate,
            Rate::Dropping(rate) => 0.1 * rate,
        }
    }

    /// Returns whether the rate has begun to fall.
    #[must_use]
    pub fn is_falling(&self, step: u64) -> bool {
        step >= self.falls_from
    }

    /// Records the selection figure (at least 0) at a check; returns whether it has stopped improving, and training should end for that.
    pub fn has_converged(&mut self, selection: f64) -> bool {
        if selection < self.reference * (1.0 - PROGRESS) {
            (self.reference, self.stale) = (selection, 0);
        } else {
            self.stale += 1;
        }
        self.stale >= PATIENCE && matches!(self.rate, Rate::Falling(_))
    }

    /// Lets the rate fall from `step` on, which ends the training.
    pub fn end(&mut self, step: u64) {
        if !self.is_falling(step) {
            self.falls_from = step;
            self.total = (step as f64 / Self::HOLD).ceil() as u64;
        }
    }

    /// Returns the state that a checkpoint stores.
    #[must_use]
    pub fn notes(&self) -> [(&'static str, String); 4] {
        [
            ("total", self.total.to_string()),
            ("falls_from", self.falls_from.to_string()),
            ("reference", self.reference.to_string()),
            ("stale", self.stale.to_string()),
        ]
    }

    /// Restores what [`Self::notes`] returned, if `number` finds it.
    pub fn restore(&mut self, number: impl Fn(&str) -> Option<f64>) {
        if let (Some(total), Some(falls_from)) = (number("total"), number("falls_from")) {
            (self.total, self.falls_from) = (total as u64, falls_from as u64);
        }
        if let (Some(reference), Some(stale)) = (number("reference"), number("stale")) {
            (self.reference, self.stale) = (reference, stale as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 0.02;

    #[test]
    fn the_rate_rises_holds_and_falls() {
        let lr_schedule = LrSchedule::new(Rate::Falling(RATE), 400);
        assert!(lr_schedule.rate(0) < 0.1 * RATE);
        assert_eq!([15, 200, 299].map(|step| lr_schedule.rate(step)), [RATE; 3]);
        assert!(lr_schedule.rate(350) < 0.6 * RATE && lr_schedule.rate(399) < 0.02 * RATE);
        assert_eq!(LrSchedule::new(Rate::Constant(0.4), 400).rate(399), 0.4);
        for total in 1..5 {
            let lr_schedule = LrSchedule::new(Rate::Falling(RATE), total);
            assert!((0..total).all(|step| lr_schedule.rate(step) > 0.0), "{total}");
        }
    }

    #[test]
    fn a_cosine_that_ends_early_falls_to_nothing_and_does_not_ask_for_progress() {
        let mut lr_schedule = LrSchedule::new(Rate::Cosine(RATE), 1000);
        let planned = [0, 400, 999].map(|step| lr_schedule.rate(step));
        assert_eq!(planned, [0, 400, 999].map(|step| half_cosine(RATE, step, 1000)));
        assert!((0..20).all(|_| !lr_schedule.has_converged(1.0)));
        lr_schedule.end(300);
        assert_eq!((lr_schedule.total, lr_schedule.rate(300)), (400, half_cosine(RATE, 300, 1000)));
        assert!(lr_schedule.rate(350) < 0.6 * planned[1] && lr_schedule.rate(399) < 0.02 * RATE);
        let mut restored = LrSchedule::new(Rate::Cosine(RATE), 1000);
        let notes = lr_schedule.notes();
        restored.restore(|name| notes.iter().find(|(known, _)| *known == name)?.1.parse().ok());
        assert_eq!(restored.rate(350), lr_schedule.rate(350));
        let dropping = LrSchedule::new(Rate::Dropping(1e-4), 100);
        assert_eq!([94, 95].map(|step| dropping.rate(step)), [1e-4, 0.1 * 1e-4]);
    }

    #[test]
    fn without_progress_training_ends_with_a_fall() {
        let mut lr_schedule = LrSchedule::new(Rate::Falling(RATE), 4000);
        let mut step = 0;
        let converged = [0.9, 0.8, 0.7, 0.699, 0.698, 0.71, 0.697].map(|selection| {
            step += 100;
            lr_schedule.has_converged(selection)
        });
        assert_eq!(converged, [false, false, false, false, false, false, true]);
        lr_schedule.end(step);
        assert_eq!(
            (lr_schedule.total, lr_schedule.is_falling(699), lr_schedule.is_falling(700)),
            (934, false, true)
        );
        // A rate that is already falling isn't cut again.
        lr_schedule.end(800);
        assert_eq!(lr_schedule.total, 934);
        let mut restored = LrSchedule::new(Rate::Falling(RATE), 4000);
        let notes = lr_schedule.notes();
        restored.restore(|name| notes.iter().find(|(known, _)| *known == name)?.1.parse().ok());
        assert_eq!(restored, lr_schedule);
    }
}
