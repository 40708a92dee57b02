//! The training loop.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use tch::{Kind, Tensor};

use super::maps::{Moments, distances};
use crate::method::{Ended, TrainError};
use crate::progress;
use crate::run::{BEST, CHECKPOINT, Flip, Run, STUDENT, State};
use crate::samples::{ImageSet, Samples, memory_budget};
use crate::torch::{Compute, Frozen, Sgd, Trainable, load_tensor, to_array};
use fit::seeded::Seeded;

/// The official recipe: SGD with this rate, momentum and weight decay …
const RATE: f64 = 0.4;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 1e-4;
/// … and, ours, a linear warm-up over this share of the steps, then a cosine down to 0: a fixed length needs no luck
/// with the last step.
const WARM_UP: f64 = 0.05;
/// How fast BatchNorm's running statistics follow while training.
const NORM_MOMENTUM: f64 = 0.1;
/// How often the selection images are asked.
const CHECKS: u64 = 10;
/// Longest time that a power cut can cost.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Images in an evaluation step.
const EVALUATION_BATCH: usize = 16;

/// One line of the metrics.
#[derive(Serialize)]
struct Metrics {
    step: u64,
    loss: f64,
    rate: f64,
    selection: f64,
    seconds: f64,
    milliseconds_per_step: f64,
}

struct Training<'a> {
    run: &'a Run,
    student: Trainable,
    sgd: Sgd,
    fit: Samples,
    selection: Samples,
    step: u64,
    best: Option<(u64, f64)>,
}

/// Trains the run's student to the end, or until someone asks to stop.
pub fn train(run: &Run, compute: Compute) -> Result<Ended, TrainError> {
    let mut training = Training::start(run, compute)?;
    if progress::stop_requested() {
        return Ok(Ended::Interrupted { step: training.step });
    }
    if !training.steps()? {
        return Ok(Ended::Interrupted { step: training.step });
    }
    training.finish()
}

impl<'a> Training<'a> {
    fn start(run: &'a Run, compute: Compute) -> Result<Self, TrainError> {
        let settings = &run.settings;
        let network = &run.teacher.network;
        tch::manual_seed(settings.seed as i64);
        let student = Trainable::random(network, compute);
        let sgd = Sgd::new(&student.parameters, MOMENTUM, WEIGHT_DECAY);
        // The teacher sees each image once, so its features can be had in full precision.
        let exact = Compute { kind: Kind::Float, ..compute };
        let load = |paths: &[PathBuf], flip, budget, what| {
            let teacher = Frozen::new(network, &run.teacher.weights, exact);
            let set = ImageSet { paths: settings.paths(paths), recipe: settings.recipe, flip };
            Samples::load(set, network, teacher, compute, budget, what)
        };
        let budget = memory_budget();
        let mut training = Self {
            run,
            student,
            sgd,
            fit: load(&settings.fit, settings.flip, budget, "Teacher: fit images")?,
            selection: load(&settings.selection, Flip::None, budget / 4, "Teacher: selection")?,
            step: 0,
            best: None,
        };
        if let Some(state) = run.load(CHECKPOINT)? {
            training.restore(&state).map_err(|reason| run.damaged(CHECKPOINT, reason))?;
        }
        run.cut_metrics(training.step)?;
        Ok(training)
    }

    /// Runs the remaining steps; `false` where it was interrupted.
    fn steps(&mut self) -> Result<bool, TrainError> {
        let total = self.run.settings.steps;
        let check_every = (total / CHECKS).max(1);
        let bar = progress::bar(total, "Training");
        bar.set_position(self.step);
        bar.reset_eta();
        let (mut saved, mut since_check, mut losses) = (Instant::now(), Instant::now(), vec![]);
        while self.step < total {
            losses.push(self.one_step(total)?);
            self.step += 1;
            bar.inc(1);
            if self.step.is_multiple_of(check_every) || self.step == total {
                self.check(&mut losses, since_check.elapsed(), &bar)?;
                since_check = Instant::now();
            }
            let stop = progress::stop_requested();
            if stop || saved.elapsed() > SAVE_EVERY || self.step == total {
                self.run.save(CHECKPOINT, &self.checkpoint())?;
                saved = Instant::now();
            }
            if stop && self.step < total {
                bar.abandon();
                return Ok(false);
            }
        }
        bar.finish_and_clear();
        Ok(true)
    }

    fn one_step(&mut self, total: u64) -> Result<f64, TrainError> {
        let indices =
            batch_indices(self.fit.count(), self.run.settings.batch, self.step, self.run.settings.seed);
        let batch = self.fit.batch(&indices, self.student.kind())?;
        let levels = self.student.levels(&batch.image, Some(NORM_MOMENTUM));
        let distances = distances(&batch.targets, &levels);
        let means: Vec<Tensor> = distances.iter().map(|d| d.mean(Kind::Float)).collect();
        let loss = Tensor::stack(&means, 0).sum(Kind::Float);
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss: value });
        }
        loss.backward();
        self.sgd.step(&mut self.student.parameters, rate(self.step, total));
        Ok(value)
    }

    /// Asks the selection images, and keeps the student where they find it the best so far.
    fn check(
        &mut self,
        losses: &mut Vec<f64>,
        elapsed: Duration,
        bar: &indicatif::ProgressBar,
    ) -> Result<(), TrainError> {
        let milliseconds_per_step = elapsed.as_secs_f64() * 1e3 / losses.len().max(1) as f64;
        let loss = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        losses.clear();
        let selection = self.selection_distance()?;
        if !selection.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss: selection });
        }
        if self.best.is_none_or(|(_, best)| selection < best) {
            self.best = Some((self.step, selection));
            self.run.save(BEST, &State { weights: self.student.state(), ..State::default() })?;
        }
        let rate = rate(self.step, self.run.settings.steps);
        let seconds = bar.elapsed().as_secs_f64();
        let step = self.step;
        self.run.log(&Metrics { step, loss, rate, selection, seconds, milliseconds_per_step })?;
        progress::say(
            bar,
            &format!(
                "step {step:>5}: loss {loss:.4}, selection {selection:.4}, {milliseconds_per_step:.0} ms a step"
            ),
        );
        Ok(())
    }

    /// The mean distance map of the selection images (lower is better): what the official code chooses by.
    fn selection_distance(&mut self) -> Result<f64, TrainError> {
        let (mut sum, count) = (0.0, self.selection.count());
        for indices in chunks(count) {
            let batch = self.selection.batch(&indices, self.student.kind())?;
            let levels = tch::no_grad(|| self.student.levels(&batch.image, None));
            let distances = distances(&batch.targets, &levels);
            sum += distances.iter().map(|d| d.mean(Kind::Float).double_value(&[])).sum::<f64>()
                * indices.len() as f64;
        }
        Ok(sum / count as f64)
    }

    /// Takes the chosen student, gives its BatchNorms the statistics of all fit images, and learns how far normal
    /// distances spread.
    fn finish(mut self) -> Result<Ended, TrainError> {
        let best = self.run.best()?;
        self.student.load(&best.weights).map_err(|reason| self.run.damaged(BEST, reason))?;
        let batches: Vec<Vec<usize>> = chunks(self.fit.count()).collect();
        let bar = progress::bar(2 * batches.len() as u64, "Statistics of normals");
        let mut seen = 0;
        for indices in &batches {
            // A batch moves the running statistics by its share of what was seen: in the end they are the mean over all.
            seen += indices.len();
            let momentum = indices.len() as f64 / seen as f64;
            let image = self.fit.batch(indices, self.student.kind())?.image;
            tch::no_grad(|| drop(self.student.levels(&image, Some(momentum))));
            bar.inc(1);
        }
        // As the exported model will compute: what is normal must not hold another number format's noise.
        self.student.set_kind(Kind::Float);
        let mut moments = Moments::default();
        for indices in &batches {
            let batch = self.fit.batch(indices, Kind::Float)?;
            let levels = tch::no_grad(|| self.student.levels(&batch.image, None));
            moments.add(&distances(&batch.targets, &levels));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let mut weights = self.student.state();
        moments.finish().add_to(&mut weights);
        self.run.save(STUDENT, &State { weights, ..State::default() })?;
        Ok(Ended::Finished { best_step: self.best.map_or(self.step, |(step, _)| step) })
    }

    fn checkpoint(&self) -> State {
        let mut weights = self.student.state();
        for (index, velocity) in self.sgd.velocities.iter().enumerate() {
            weights.insert(velocity_name(index), to_array(velocity));
        }
        let mut notes = vec![("step".to_owned(), self.step.to_string())];
        if let Some((step, value)) = self.best {
            notes.push(("best_step".to_owned(), step.to_string()));
            notes.push(("best_selection".to_owned(), value.to_string()));
        }
        State { weights, notes: notes.into_iter().collect() }
    }

    fn restore(&mut self, state: &State) -> Result<(), String> {
        self.student.load(&state.weights)?;
        for (index, velocity) in self.sgd.velocities.iter_mut().enumerate() {
            load_tensor(&state.weights, &velocity_name(index), velocity)?;
        }
        self.step = state.number("step").ok_or("it does not say its step")?;
        self.best = state.number("best_step").zip(state.number("best_selection"));
        Ok(())
    }
}

fn velocity_name(index: usize) -> String {
    format!("sgd.{index}.velocity")
}

/// Linear warm-up, then half a cosine down to 0.
fn rate(step: u64, total: u64) -> f64 {
    let at = step as f64 / total as f64;
    let warm_up = (at + 1.0 / total as f64) / WARM_UP;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * (at - WARM_UP).max(0.0) / (1.0 - WARM_UP)).cos());
    RATE * warm_up.min(1.0) * cosine
}

/// The samples of a step: each epoch is a new seeded shuffle of all samples, and epochs follow on one another without
/// a gap. Depends on nothing but its arguments, so that a resumed run sees what an uninterrupted one would have.
fn batch_indices(count: usize, batch: usize, step: u64, seed: u64) -> Vec<usize> {
    let first = step as usize * batch;
    let mut epoch = usize::MAX;
    let mut order: Vec<usize> = vec![];
    (first..first + batch)
        .map(|position| {
            if position / count != epoch {
                epoch = position / count;
                order = (0..count).collect();
                Seeded::new(seed, epoch as u64).shuffle(&mut order);
            }
            order[position % count]
        })
        .collect()
}

fn chunks(count: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..count)
        .step_by(EVALUATION_BATCH)
        .map(move |first| (first..(first + EVALUATION_BATCH).min(count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_every_sample_once() {
        let seen: Vec<usize> = (0..10).flat_map(|step| batch_indices(20, 8, step, 3)).collect();
        for epoch in seen.chunks(20) {
            let mut epoch = epoch.to_vec();
            epoch.sort_unstable();
            assert!(epoch.into_iter().eq(0..20));
        }
        assert_ne!(seen[..20], seen[20..40]);
        // Fewer samples than a batch: the batch holds them several times.
        assert_eq!(batch_indices(3, 8, 0, 0).len(), 8);
    }

    #[test]
    fn the_rate_rises_and_falls() {
        assert!(rate(0, 400) < 0.1 * RATE);
        assert!((rate(20, 400) - RATE).abs() < 0.01 * RATE);
        assert!(rate(399, 400) < 1e-3 * RATE);
    }
}
