//! The training of a [`Learner`]: steps, checks on the selection images, checkpoints, and when it ends.
//!
//! | file | purpose |
//! |---|---|
//! | `learner.rs` | what is trained |
//! | `map_learner.rs` | learners with a map of anomalies, from their first step to the exported model |
//! | `images.rs` | the images of a run, and those of a step |
//! | `lr_schedule.rs` | the learning rate, and when training ends |
//! | `augment.rs` | augmentation of a step's images |

mod augment;
mod images;
mod learner;
mod lr_schedule;
mod map_learner;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::HumanDuration;
use networks::{StateError, Weights};
use serde::Serialize;

pub use self::images::{augmented_batch, augmented_images, load_samples, load_set, seed_step};
pub use self::learner::Learner;
pub use self::lr_schedule::{LrSchedule, Rate};
pub use self::map_learner::{
    GraphInputs, MAP_OUTPUT, MapLearner, build_graph, export_map, mean_over, train_map,
};
use crate::method::TrainError;
use crate::order::{batch_indices, in_order};
use crate::progress;
use crate::run::{BEST, CHECKPOINT, ModelState, Run};
use crate::samples::Samples;

/// Maximum training time that a power cut can cost.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Steps between checks on the selection images …
const CHECK_EVERY: u64 = 50;
/// … and the number of checks in a short training.
const CHECKS: u64 = 10;

/// One line of the metrics.
#[derive(Serialize)]
struct StepMetrics {
    step: u64,
    loss: f64,
    /// The means of the loss's parts.
    #[serde(flatten)]
    terms: BTreeMap<&'static str, f64>,
    rate: f64,
    selection: f64,
    seconds: f64,
    milliseconds_per_step: f64,
}

/// The sums of losses since the last check.
#[derive(Debug, Default)]
struct LossSums {
    steps: u64,
    loss: f64,
    terms: BTreeMap<&'static str, f64>,
}

impl LossSums {
    fn add(&mut self, loss: f64, terms: Vec<(&'static str, f64)>) {
        self.steps += 1;
        self.loss += loss;
        terms.into_iter().for_each(|(name, value)| *self.terms.entry(name).or_default() += value);
    }
}

/// A training on a run's images.
pub struct Training<'a, L> {
    run: &'a Run,
    /// What is trained.
    pub learner: L,
    /// The samples to learn from.
    pub fit: Samples,
    /// The samples that choose the checkpoint.
    pub selection: Samples,
    lr_schedule: LrSchedule,
    check_every: u64,
    step: u64,
    /// Seconds of training before this start.
    before: f64,
    started: Instant,
    best: Option<(u64, f64)>,
}

/// Returns the number of steps between checks in a training of `total` steps.
#[must_use]
pub fn check_every(total: u64) -> u64 {
    CHECK_EVERY.min(total / CHECKS).max(1)
}

impl<'a, L: Learner> Training<'a, L> {
    /// Starts a training, or resumes it from the checkpoint `state`. The selection images are evaluated every `check_every` steps.
    ///
    /// # Errors
    /// If the checkpoint doesn't fit the learner, or the disk can't be written.
    pub fn new(
        run: &'a Run,
        learner: L,
        [fit, selection]: [Samples; 2],
        lr_schedule: LrSchedule,
        check_every: u64,
        state: Option<&ModelState>,
    ) -> Result<Self, TrainError> {
        let (before, best, started) = (0.0, None, Instant::now());
        let mut training =
            Self { run, learner, fit, selection, lr_schedule, check_every, step: 0, before, started, best };
        if let Some(state) = state {
            training.restore(state).map_err(|reason| run.damaged(CHECKPOINT, reason))?;
        }
        run.truncate_metrics(training.step)?;
        Ok(training)
    }

    /// Returns the number of steps done.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Returns the step that the selection images chose.
    #[must_use]
    pub fn chosen_step(&self) -> Option<u64> {
        self.best.map(|(step, _)| step)
    }

    /// Runs the remaining steps; returns `false` if interrupted.
    ///
    /// # Errors
    /// If training diverges, the disk can't be written, or an image that is not kept in memory can no longer be read.
    pub fn steps(&mut self) -> Result<bool, TrainError> {
        let settings = &self.run.settings;
        let bar = progress::bar(self.lr_schedule.total, "Training");
        bar.set_position(self.step);
        bar.reset_eta();
        let (mut saved, mut since_check, mut losses) = (Instant::now(), Instant::now(), LossSums::default());
        while self.step < self.lr_schedule.total {
            let indices = batch_indices(self.fit.count(), settings.batch, self.step, settings.seed);
            losses.add(self.one_step(&indices)?, self.learner.loss_terms());
            self.step += 1;
            bar.inc(1);
            if self.step.is_multiple_of(self.check_every) || self.step == self.lr_schedule.total {
                self.check(std::mem::take(&mut losses), since_check.elapsed(), &bar)?;
                since_check = Instant::now();
            }
            if self.is_late() {
                self.lr_schedule.end(self.step);
            }
            bar.set_length(self.lr_schedule.total);
            let stop = progress::stop_requested();
            if stop || saved.elapsed() > SAVE_EVERY || self.step == self.lr_schedule.total {
                self.save()?;
                saved = Instant::now();
            }
            if stop && self.step < self.lr_schedule.total {
                bar.abandon();
                return Ok(false);
            }
        }
        bar.finish_and_clear();
        Ok(true)
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Returns whether only the time for the rate's fall is left.
    fn is_late(&self) -> bool {
        let minutes = self.run.settings.minutes;
        minutes.is_some_and(|minutes| self.seconds() > LrSchedule::HOLD * minutes * 60.0)
    }

    fn one_step(&mut self, indices: &[usize]) -> Result<f64, TrainError> {
        let loss = self.learner.loss(&mut self.fit, indices, self.step)?;
        let value = loss.double_value(&[]);
        if !self.learner.is_sound(value) {
            return Err(TrainError::Diverged { step: self.step, loss: value });
        }
        loss.backward();
        self.learner.update(self.step, self.lr_schedule.rate(self.step));
        Ok(value)
    }

    /// Evaluates the selection images, and keeps the weights if they are the best so far.
    fn check(
        &mut self,
        losses: LossSums,
        elapsed: Duration,
        bar: &indicatif::ProgressBar,
    ) -> Result<(), TrainError> {
        let steps = losses.steps.max(1) as f64;
        let milliseconds_per_step = elapsed.as_secs_f64() * 1e3 / steps;
        let loss = losses.loss / steps;
        let terms = losses.terms.into_iter().map(|(name, sum)| (name, sum / steps)).collect();
        self.learner.before_check(&mut self.fit)?;
        let selection = self.selection_figure()?;
        if !self.learner.is_sound(selection) {
            return Err(TrainError::Diverged { step: self.step, loss: selection });
        }
        if self.best.is_none_or(|(_, best)| selection < best) {
            self.best = Some((self.step, selection));
            if L::KEEPS_BEST {
                let weights = self.learner.weights();
                self.run.save(BEST, &ModelState { weights, ..ModelState::default() })?;
            }
        }
        let progress = self.learner.progress(selection);
        if self.lr_schedule.has_converged(progress) && self.run.settings.minutes.is_some() {
            self.lr_schedule.end(self.step);
        }
        let rate = self.lr_schedule.rate(self.step);
        let seconds = self.seconds();
        let step = self.step;
        self.run.log(&StepMetrics { step, loss, terms, rate, selection, seconds, milliseconds_per_step })?;
        let left = self.lr_schedule.total.saturating_sub(step) as f64 * milliseconds_per_step / 1e3;
        let left = HumanDuration(Duration::from_secs_f64(left));
        progress::print(
            bar,
            &format!(
                "step {step:>6}: loss {loss:.4}, selection {selection:.4}, {milliseconds_per_step:.0} ms a step, at most {left} left"
            ),
        );
        Ok(())
    }

    /// Computes the mean of the learner's figure over all selection samples.
    fn selection_figure(&mut self) -> Result<f64, TrainError> {
        let (mut sum, count) = (0.0, self.selection.count());
        for indices in in_order(count) {
            let batch = self.selection.batch(&indices, self.learner.kind())?;
            sum += tch::no_grad(|| self.learner.selection(&batch)) * indices.len() as f64;
        }
        Ok(sum / count as f64)
    }

    /// Replaces the checkpoint, but never a good one with one that isn't finite.
    fn save(&self) -> Result<(), TrainError> {
        let mut weights = self.learner.weights();
        self.learner.add_to(&mut weights);
        if !is_finite(&weights) {
            return Err(TrainError::Diverged { step: self.step, loss: f64::NAN });
        }
        let mut notes = vec![
            ("step".to_owned(), self.step.to_string()),
            ("seconds".to_owned(), self.seconds().to_string()),
        ];
        notes.extend(self.lr_schedule.notes().map(|(name, value)| (name.to_owned(), value)));
        if let Some((step, value)) = self.best {
            notes.push(("best_step".to_owned(), step.to_string()));
            notes.push(("best_selection".to_owned(), value.to_string()));
        }
        Ok(self.run.save(CHECKPOINT, &ModelState { weights, notes: notes.into_iter().collect() })?)
    }

    fn restore(&mut self, state: &ModelState) -> Result<(), StateError> {
        self.learner.load(&state.weights)?;
        self.step = state.number("step").ok_or(StateError::missing("step"))?;
        self.before = state.number("seconds").unwrap_or(0.0);
        self.lr_schedule.restore(|name| state.number(name));
        self.best = state.number("best_step").zip(state.number("best_selection"));
        Ok(())
    }
}

fn is_finite(weights: &Weights) -> bool {
    weights.values().flat_map(|array| &array.data).all(|x| x.is_finite())
}
