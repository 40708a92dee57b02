//! The training loop.

use networks::StateError;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use methods::Flip;
use serde::Serialize;
use tch::{Kind, Tensor};

use super::augment::augment;
use super::comparison::Comparison;
use super::lr_schedule::LrSchedule;
use super::maps::{Scoring, combined};
use super::optimiser::Optimiser;
use super::options::Options;
use crate::held_out::image_score;
use crate::method::{TrainError, TrainOutcome};
use crate::order::{batch_indices, in_order, shuffled};
use crate::progress;
use crate::run::{BEST, CHECKPOINT, ModelState, Run, STUDENT};
use crate::samples::{ImageSet, SampleBatch, Samples, memory_budget};
use crate::schedule::Schedule;
use crate::torch::{Compute, Frozen, Trainable, channels_last};

/// The share of a batch in BatchNorm's running statistics, as in the paper's code.
const PAPER_NORM_MOMENTUM: f64 = 0.1;
/// Steps between checks on the selection images …
const CHECK_EVERY: u64 = 50;
/// … and the number of checks in a short training.
const CHECKS: u64 = 10;
/// Maximum training time that a power cut can cost.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Number of fit samples that set BatchNorm's statistics for a check; after training all of them are used.
const CHECK_SAMPLES: usize = 64;
/// Minimum mean distance of a level: a student that imitates a constant picture to the last digit has a distance of 0.
const MIN_SCALE: f32 = 1e-9;

/// One line of the metrics.
#[derive(Serialize)]
struct StpmMetrics {
    step: u64,
    loss: f64,
    rate: f64,
    selection: f64,
    seconds: f64,
    milliseconds_per_step: f64,
}

struct StpmTraining<'a> {
    run: &'a Run,
    options: Options,
    lr_schedule: LrSchedule,
    student: Trainable,
    comparison: Comparison,
    optimiser: Optimiser,
    fit: Samples,
    selection: Samples,
    step: u64,
    /// Seconds of training before this start.
    before: f64,
    started: Instant,
    best: Option<(u64, f64)>,
}

/// Trains the run's student to the end, or until a stop is requested.
pub fn train(run: &Run, compute: Compute) -> Result<TrainOutcome, TrainError> {
    let mut training = StpmTraining::start(run, compute)?;
    if progress::stop_requested() {
        return Ok(TrainOutcome::Interrupted { step: training.step });
    }
    if !training.steps()? {
        return Ok(TrainOutcome::Interrupted { step: training.step });
    }
    training.finish()
}

impl<'a> StpmTraining<'a> {
    fn start(run: &'a Run, compute: Compute) -> Result<Self, TrainError> {
        let settings = &run.settings;
        let network = &run.teacher.network;
        tch::manual_seed(settings.seed as i64);
        let student = Trainable::random(network, compute);
        // The teacher processes each image only once, so full precision is affordable.
        let exact = Compute { kind: Kind::Float, ..compute };
        let load = |paths: &[PathBuf], flip, budget, what| {
            let teacher = Frozen::new(network, &run.teacher.weights, exact);
            let set = ImageSet { paths: settings.paths(paths), recipe: settings.recipe, flip };
            Samples::load(set, network, teacher, compute, budget, what)
        };
        let budget = memory_budget();
        let options: Options = run.options()?;
        let schedule = options.schedule.unwrap_or(Schedule::Short);
        let optimiser = Optimiser::new(schedule, &student.parameters);
        let mut fit = load(&settings.fit, settings.flip, budget, "Teacher: fit images")?;
        let state = run.load(CHECKPOINT)?;
        let comparison = match &state {
            Some(state) => Comparison::from_state(&state.weights, network.levels.len())
                .map_err(|reason| run.damaged(CHECKPOINT, reason))?,
            None if options.follows_the_paper() => Comparison::Directions,
            // A stop request is honoured before the first step.
            None => Comparison::measured(network, &mut fit)?.unwrap_or(Comparison::Directions),
        };
        let mut training = Self {
            run,
            lr_schedule: LrSchedule::new(schedule, settings.steps),
            options,
            student,
            comparison,
            optimiser,
            fit,
            selection: load(&settings.selection, Flip::None, budget / 4, "Teacher: selection")?,
            step: 0,
            before: 0.0,
            started: Instant::now(),
            best: None,
        };
        if let Some(state) = state {
            training.restore(&state).map_err(|reason| run.damaged(CHECKPOINT, reason))?;
        }
        run.truncate_metrics(training.step)?;
        training.started = Instant::now();
        Ok(training)
    }

    /// Runs the remaining steps; returns `false` if interrupted.
    fn steps(&mut self) -> Result<bool, TrainError> {
        let bar = progress::bar(self.lr_schedule.total, "Training");
        bar.set_position(self.step);
        bar.reset_eta();
        let (mut saved, mut since_check, mut losses) = (Instant::now(), Instant::now(), vec![]);
        while self.step < self.lr_schedule.total {
            losses.push(self.one_step()?);
            self.step += 1;
            bar.inc(1);
            if self.step.is_multiple_of(self.check_every()) || self.step == self.lr_schedule.total {
                self.check(&mut losses, since_check.elapsed(), &bar)?;
                since_check = Instant::now();
            }
            if self.is_late() {
                self.lr_schedule.end(self.step);
            }
            bar.set_length(self.lr_schedule.total);
            let stop = progress::stop_requested();
            if stop || saved.elapsed() > SAVE_EVERY || self.step == self.lr_schedule.total {
                self.run.save(CHECKPOINT, &self.checkpoint())?;
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

    /// Returns the number of steps between checks: the paper's code checks after each pass over the images.
    fn check_every(&self) -> u64 {
        if self.options.follows_the_paper() {
            self.fit.count().div_ceil(self.run.settings.batch) as u64
        } else {
            CHECK_EVERY.min(self.run.settings.steps / CHECKS).max(1)
        }
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Returns whether only the time for the rate's fall is left.
    fn is_late(&self) -> bool {
        let minutes = self.run.settings.minutes;
        minutes.is_some_and(|minutes| self.seconds() > LrSchedule::HOLD * minutes * 60.0)
    }

    fn one_step(&mut self) -> Result<f64, TrainError> {
        let indices =
            batch_indices(self.fit.count(), self.run.settings.batch, self.step, self.run.settings.seed);
        let mut batch = self.fit.batch(&indices, self.student.kind())?;
        if !self.options.follows_the_paper() {
            let (seed, [mean, std]) = (self.run.settings.seed, self.fit.channels());
            let image = channels_last(&augment(&batch.image, (mean, std), seed, self.step));
            batch = SampleBatch {
                targets: self.fit.teacher_features(&image),
                image: image.to_kind(self.student.kind()),
            };
        }
        // Our statistics are recomputed when they are needed.
        let momentum = if self.options.follows_the_paper() { PAPER_NORM_MOMENTUM } else { 0.0 };
        let levels = self.student.levels(&batch.image, Some(momentum));
        let distances = self.distances(&batch, &levels);
        let means: Vec<Tensor> = distances.iter().map(|d| d.mean(Kind::Float)).collect();
        let loss = Tensor::stack(&means, 0).sum(Kind::Float);
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss: value });
        }
        loss.backward();
        self.optimiser.step(&mut self.student.parameters, self.step, self.lr_schedule.rate(self.step));
        Ok(value)
    }

    /// Evaluates the selection images, and keeps the student if it is the best so far.
    fn check(
        &mut self,
        losses: &mut Vec<f64>,
        elapsed: Duration,
        bar: &indicatif::ProgressBar,
    ) -> Result<(), TrainError> {
        let milliseconds_per_step = elapsed.as_secs_f64() * 1e3 / losses.len().max(1) as f64;
        let loss = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        losses.clear();
        if !self.options.follows_the_paper() {
            self.set_norms(CHECK_SAMPLES, || {})?;
        }
        let selection = self.selection_distance()?;
        if !selection.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss: selection });
        }
        if self.best.is_none_or(|(_, best)| selection < best) {
            self.best = Some((self.step, selection));
            self.run.save(BEST, &ModelState { weights: self.student.state(), ..ModelState::default() })?;
        }
        if self.lr_schedule.has_converged(selection) && self.run.settings.minutes.is_some() {
            self.lr_schedule.end(self.step);
        }
        let rate = self.lr_schedule.rate(self.step);
        let seconds = self.seconds();
        let step = self.step;
        self.run.log(&StpmMetrics { step, loss, rate, selection, seconds, milliseconds_per_step })?;
        progress::print(
            bar,
            &format!(
                "step {step:>5}: loss {loss:.4}, selection {selection:.4}, {milliseconds_per_step:.0} ms a step"
            ),
        );
        Ok(())
    }

    /// Computes the distances of the student's levels from the teacher's.
    fn distances(&self, batch: &SampleBatch, student: &[Tensor]) -> Vec<Tensor> {
        self.comparison.distances(&self.comparison.targets(&batch.targets), student)
    }

    /// Computes the mean of the selection images' distance maps (lower is better), the official code's criterion.
    fn selection_distance(&mut self) -> Result<f64, TrainError> {
        let (mut sum, count) = (0.0, self.selection.count());
        for indices in in_order(count) {
            let batch = self.selection.batch(&indices, self.student.kind())?;
            let levels = tch::no_grad(|| self.student.levels(&batch.image, None));
            let distances = self.distances(&batch, &levels);
            sum += distances.iter().map(|d| d.mean(Kind::Float).double_value(&[])).sum::<f64>()
                * indices.len() as f64;
        }
        Ok(sum / count as f64)
    }

    /// Loads the chosen student, sets its BatchNorm statistics from all fit images, and measures its distances on
    /// good parts.
    fn finish(mut self) -> Result<TrainOutcome, TrainError> {
        let best = self.run.best()?;
        self.student.load(&best.weights).map_err(|reason| self.run.damaged(BEST, reason))?;
        // As in the exported model: statistics of normals must not contain another number format's noise.
        self.student.set_kind(Kind::Float);
        if !self.options.follows_the_paper() {
            let count = self.fit.count();
            let bar = progress::bar(count as u64, "Statistics of normals");
            self.set_norms(count, || bar.inc(self.run.settings.batch as u64))?;
            bar.finish_and_clear();
        }
        let scoring = if self.options.paper_score { Scoring::Paper } else { self.scoring()? };
        let mut state = ModelState { weights: self.student.state(), ..ModelState::default() };
        self.comparison.add_to(&mut state.weights);
        scoring.add_to(&mut state);
        self.run.save(STUDENT, &state)?;
        Ok(TrainOutcome::Finished { chosen_step: self.best.map(|(step, _)| step) })
    }

    /// Computes the common score, see [`image_score`].
    fn scoring(&mut self) -> Result<Scoring, TrainError> {
        let (student, comparison) = (&self.student, &self.comparison);
        let level_distances = |batch: &SampleBatch| {
            let levels = tch::no_grad(|| student.levels(&batch.image, None));
            comparison.distances(&comparison.targets(&batch.targets), &levels)
        };
        let (mut sums, mut count) = (vec![], 0);
        for samples in [&mut self.fit, &mut self.selection] {
            count += samples.count();
            for indices in in_order(samples.count()) {
                let distances = level_distances(&samples.batch(&indices, Kind::Float)?);
                sums.resize(distances.len(), 0.0);
                for (sum, distance) in sums.iter_mut().zip(&distances) {
                    *sum += distance.mean(Kind::Double).double_value(&[]) * indices.len() as f64;
                }
            }
        }
        let mean = |sum: f64| ((sum / count as f64) as f32).max(MIN_SCALE);
        let scales: Vec<f32> = sums.into_iter().map(mean).collect();
        let seen = [&mut self.fit, &mut self.selection];
        let mut image_score = image_score(seen, 0, |batch| combined(&level_distances(batch), &scales))?
            .ok_or(TrainError::Diverged { step: self.step, loss: f64::NAN })?;
        image_score.score_map = self.run.settings.zones.is_some();
        Ok(Scoring::Common { scales, image_score: Box::new(image_score) })
    }

    /// Sets the BatchNorm statistics to the mean over batches of the first `samples` shuffled fit samples.
    /// Batches are composed as in training: files are in some order (by exposure, by module), and the variance within a batch
    /// of neighbours is not that of the parts.
    fn set_norms(&mut self, samples: usize, done: impl Fn()) -> Result<(), TrainError> {
        let settings = &self.run.settings;
        let order = shuffled(self.fit.count(), settings.seed);
        let mut seen = 0;
        for indices in order[..samples.min(order.len())].chunks(settings.batch) {
            // Each batch moves the running statistics by its share of the samples so far, so they end up as the mean over all.
            seen += indices.len();
            let momentum = indices.len() as f64 / seen as f64;
            let image = self.fit.batch(indices, self.student.kind())?.image;
            tch::no_grad(|| drop(self.student.levels(&image, Some(momentum))));
            done();
        }
        Ok(())
    }

    fn checkpoint(&self) -> ModelState {
        let mut weights = self.student.state();
        self.optimiser.add_to(&mut weights);
        self.comparison.add_to(&mut weights);
        let mut notes = vec![
            ("step".to_owned(), self.step.to_string()),
            ("seconds".to_owned(), self.seconds().to_string()),
        ];
        notes.extend(self.lr_schedule.notes().map(|(name, value)| (name.to_owned(), value)));
        if let Some((step, value)) = self.best {
            notes.push(("best_step".to_owned(), step.to_string()));
            notes.push(("best_selection".to_owned(), value.to_string()));
        }
        ModelState { weights, notes: notes.into_iter().collect() }
    }

    fn restore(&mut self, state: &ModelState) -> Result<(), StateError> {
        self.student.load(&state.weights)?;
        self.optimiser.load(&state.weights)?;
        self.step = state.number("step").ok_or(StateError::missing("step"))?;
        self.before = state.number("seconds").unwrap_or(0.0);
        self.lr_schedule.restore(|name| state.number(name));
        self.best = state.number("best_step").zip(state.number("best_selection"));
        Ok(())
    }
}
