//! The training loop.

use networks::StateError;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use methods::Flip;
use serde::Serialize;
use tch::{Kind, Tensor};

use super::maps::{Moments, distances};
use super::schedule::rate;
use crate::method::{Ended, TrainError};
use crate::order::{batch_indices, in_order, shuffled};
use crate::progress;
use crate::run::{BEST, CHECKPOINT, Run, STUDENT, State};
use crate::samples::{Features, ImageSet, Samples, memory_budget};
use crate::torch::{Compute, Frozen, Sgd, Trainable, load_tensor, to_array};

/// The official recipe: SGD with this momentum and weight decay.
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 1e-4;
/// BatchNorm's running statistics stay as they are while training: they are set anew where they are needed.
const NORM_MOMENTUM: f64 = 0.0;
/// How often the selection images are asked.
const CHECKS: u64 = 10;
/// Longest time that a power cut can cost.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Fit samples that give BatchNorm its statistics for a check; after training all of them do.
const CHECK_SAMPLES: usize = 64;

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
            Samples::load(set, network, (teacher, Features::UnitLength), compute, budget, what)
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
        self.set_norms(CHECK_SAMPLES, || {})?;
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
        for indices in in_order(count) {
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
        // As the exported model will compute: what is normal must not hold another number format's noise.
        self.student.set_kind(Kind::Float);
        let count = self.fit.count();
        let bar = progress::bar(2 * count as u64, "Statistics of normals");
        self.set_norms(count, || bar.inc(self.run.settings.batch as u64))?;
        let mut moments = Moments::default();
        for indices in in_order(count) {
            let batch = self.fit.batch(&indices, Kind::Float)?;
            let levels = tch::no_grad(|| self.student.levels(&batch.image, None));
            moments.add(&distances(&batch.targets, &levels));
            bar.inc(indices.len() as u64);
        }
        bar.finish_and_clear();
        let mut weights = self.student.state();
        moments.finish().add_to(&mut weights);
        self.run.save(STUDENT, &State { weights, ..State::default() })?;
        Ok(Ended::Finished { chosen_step: self.best.map(|(step, _)| step) })
    }

    /// Gives the BatchNorms the mean of the statistics of batches, over the first `samples` of the shuffled fit samples.
    /// Batches as training had them: files lie in an order (by exposure, by module), and the variance within a batch
    /// of neighbours is not that of the parts.
    fn set_norms(&mut self, samples: usize, done: impl Fn()) -> Result<(), TrainError> {
        let settings = &self.run.settings;
        let order = shuffled(self.fit.count(), settings.seed);
        let mut seen = 0;
        for indices in order[..samples.min(order.len())].chunks(settings.batch) {
            // A batch moves the running statistics by its share of what was seen: in the end they are the mean over all.
            seen += indices.len();
            let momentum = indices.len() as f64 / seen as f64;
            let image = self.fit.batch(indices, self.student.kind())?.image;
            tch::no_grad(|| drop(self.student.levels(&image, Some(momentum))));
            done();
        }
        Ok(())
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

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.student.load(&state.weights)?;
        for (index, velocity) in self.sgd.velocities.iter_mut().enumerate() {
            load_tensor(&state.weights, &velocity_name(index), velocity)?;
        }
        self.step = state.number("step").ok_or(StateError::missing("step"))?;
        self.best = state.number("best_step").zip(state.number("best_selection"));
        Ok(())
    }
}

fn velocity_name(index: usize) -> String {
    format!("sgd.{index}.velocity")
}
