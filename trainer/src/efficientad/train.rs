//! The training loop.

use networks::StateError;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use methods::Flip;
use methods::image_score::ImageScorer;
use serde::Serialize;
use shared_format::Size;
use tch::{Kind, Tensor};

use super::augment::Augmentation;
use super::graph::MAP_OUTPUTS;
use super::hyperparameters::Hyperparameters;
use super::losses::{hard_feature_loss, mean_square};
use super::networks::Networks;
use super::options::Options;
use super::statistics::MapScale;
use super::teacher_view::TeacherView;
use crate::held_out::image_score;
use crate::method::{TrainError, TrainOutcome};
use crate::natural::Natural;
use crate::order::batch_indices;
use crate::progress;
use crate::run::{CHECKPOINT, ModelState, Run, STUDENT};
use crate::samples::{ImageSet, SampleBatch, Samples, memory_budget};
use crate::schedule::Schedule;
use crate::torch::{Compute, Frozen, channels_last, to_array};

/// Number of checks, at which losses are logged and the selection images evaluated.
const CHECKS: u64 = 20;
/// Maximum training time that a power cut can cost.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Number of parts of the loss, in the order in which they are kept and logged.
const LOSS_TERMS: usize = 4;

/// One line of the metrics.
#[derive(Serialize)]
struct EfficientAdMetrics {
    step: u64,
    loss: f64,
    student: f64,
    natural: f64,
    autoencoder: f64,
    student_autoencoder: f64,
    selection: f64,
    rate: f64,
    seconds: f64,
    milliseconds_per_step: f64,
}

struct EfficientAdTraining<'a> {
    run: &'a Run,
    hyperparameters: Hyperparameters,
    networks: Networks,
    view: TeacherView,
    schedule: Schedule,
    natural: Option<Natural>,
    fit: Samples,
    selection: Samples,
    /// Mean of the images' channels, for RGB 0..1.
    mean: Tensor,
    std: Tensor,
    compute: Compute,
    step: u64,
}

/// Trains the run's networks to the end, or until a stop is requested.
pub fn train(run: &Run, compute: Compute) -> Result<TrainOutcome, TrainError> {
    let Some(mut training) = EfficientAdTraining::start(run, compute)? else {
        let reached = run.load(CHECKPOINT)?.and_then(|state| state.number("step"));
        return Ok(TrainOutcome::Interrupted { step: reached.unwrap_or(0) });
    };
    if !training.steps()? {
        return Ok(TrainOutcome::Interrupted { step: training.step });
    }
    training.finish()
}

impl<'a> EfficientAdTraining<'a> {
    /// Reads the images; returns `None` if a stop was requested meanwhile.
    fn start(run: &'a Run, compute: Compute) -> Result<Option<Self>, TrainError> {
        let settings = &run.settings;
        let network = &run.teacher.network;
        let layout = super::layout(&run.teacher)?;
        tch::manual_seed(settings.seed as i64);
        let networks = Networks::random(layout, settings.recipe.input, compute);
        let options: Options = run.options()?;
        let natural = open_natural(run, &options)?;
        // The teacher processes each image only once, so full precision is affordable.
        let exact = Compute { kind: Kind::Float, ..compute };
        let load = |paths: &[PathBuf], flip, budget, what| {
            let teacher = Frozen::new(network, &run.teacher.weights, exact);
            let set = ImageSet { paths: settings.paths(paths), recipe: settings.recipe, flip };
            Samples::load(set, network, teacher, compute, budget, what)
        };
        let budget = memory_budget();
        let mut fit = load(&settings.fit, settings.flip, budget, "Teacher: fit images")?;
        let selection = load(&settings.selection, Flip::None, budget / 4, "Teacher: selection")?;
        let state = run.load(CHECKPOINT)?;
        let damaged = |e: StateError| run.damaged(CHECKPOINT, e);
        let teacher = Frozen::new(network, &run.teacher.weights, compute);
        let view = match &state {
            Some(ModelState { weights, .. }) => {
                Some(TeacherView::restored(layout, teacher, weights).map_err(damaged)?)
            }
            None => TeacherView::measured(layout, teacher, &mut fit)?,
        };
        let Some(view) = view.filter(|_| !progress::stop_requested()) else { return Ok(None) };
        let channel =
            |values: [f32; 3]| Tensor::from_slice(&values).reshape([1, 3, 1, 1]).to_device(compute.device);
        let mut training = Self {
            run,
            hyperparameters: layout.hyperparameters(options.schedule),
            networks,
            view,
            schedule: options.schedule,
            natural,
            fit,
            selection,
            mean: channel(network.mean),
            std: channel(network.std),
            compute,
            step: 0,
        };
        if let Some(state) = state {
            training.networks.load(&state.weights).map_err(damaged)?;
            training.step = state.number("step").ok_or_else(|| damaged(StateError::missing("step")))?;
        }
        run.truncate_metrics(training.step)?;
        Ok(Some(training))
    }

    /// Runs the remaining steps; returns `false` if interrupted.
    fn steps(&mut self) -> Result<bool, TrainError> {
        let total = self.run.settings.steps;
        let check_every = (total / CHECKS).max(1);
        let bar = progress::bar(total, "Training");
        bar.set_position(self.step);
        bar.reset_eta();
        let (mut saved, mut since_check) = (Instant::now(), Instant::now());
        let mut losses: Vec<[f64; LOSS_TERMS]> = vec![];
        while self.step < total {
            losses.push(self.one_step()?);
            self.step += 1;
            bar.inc(1);
            if self.step.is_multiple_of(check_every) || self.step == total {
                self.check(&losses, since_check.elapsed(), &bar)?;
                losses.clear();
                since_check = Instant::now();
            }
            let stop = progress::stop_requested();
            if stop || saved.elapsed() > SAVE_EVERY || self.step == total {
                self.save()?;
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

    fn one_step(&mut self) -> Result<[f64; LOSS_TERMS], TrainError> {
        let settings = &self.run.settings;
        // Dropout draws from libtorch's generator: a resumed run must find it in the same state as an uninterrupted one.
        tch::manual_seed((settings.seed ^ self.step.wrapping_mul(0x9e37_79b9_7f4a_7c15)) as i64);
        let augmentation =
            Augmentation::new(settings.seed, self.step, self.natural.as_ref().map_or(0, Natural::count));
        let indices = batch_indices(self.fit.count(), settings.batch, self.step, settings.seed);
        let batch = self.fit.batch(&indices, Kind::Float)?;
        let changed = (augmentation.apply(&(&batch.image * &self.std + &self.mean)) - &self.mean) / &self.std;
        let changed = channels_last(&changed);
        let photo = match &mut self.natural {
            Some(natural) => {
                let photo = centre_crop(
                    &natural.photo(augmentation.photo, augmentation.grey)?,
                    settings.recipe.input,
                );
                Some(channels_last(&((photo.to_device(self.compute.device) - &self.mean) / &self.std)))
            }
            None => None,
        };
        let changed_levels = self.view.levels(&changed);
        let target = self.view.target(&batch.targets);
        let changed_target = self.view.target(&changed_levels);
        // The student processes all of a step's images at once: fewer, larger products.
        let count = batch.image.size()[0];
        let mut student_inputs = vec![
            self.view.student_input(&batch.image, &batch.targets),
            self.view.student_input(&changed, &changed_levels),
        ];
        student_inputs.extend(photo.as_ref().map(|photo| self.view.student_input_for(photo)));
        let photos = student_inputs.len() as i64 - 2;
        let [for_teacher, for_autoencoder] =
            self.networks.student(&channels_last(&Tensor::cat(&student_inputs, 0)));
        let reproduced = self.networks.autoencoder(&changed, true);
        let natural = for_teacher.narrow(0, 2 * count, photos);
        let losses = [
            hard_feature_loss(&target, &for_teacher.narrow(0, 0, count), self.hyperparameters.hard),
            if self.natural.is_some() {
                (&natural * &natural).mean(Kind::Float)
            } else {
                Tensor::zeros([], (Kind::Float, self.compute.device))
            },
            mean_square(&changed_target, &reproduced),
            mean_square(&reproduced, &for_autoencoder.narrow(0, count, count)),
        ];
        let loss = Tensor::stack(&losses, 0).sum(Kind::Float);
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss: value });
        }
        loss.backward();
        self.networks.step(self.step, self.rate());
        Ok(losses.map(|loss| loss.double_value(&[])))
    }

    /// Returns Adam's rate at this step.
    fn rate(&self) -> f64 {
        let settings = &self.run.settings;
        self.hyperparameters.rate(self.schedule, self.step, settings.steps)
    }

    /// Logs the progress.
    fn check(
        &mut self,
        losses: &[[f64; LOSS_TERMS]],
        elapsed: Duration,
        bar: &ProgressBar,
    ) -> Result<(), TrainError> {
        let count = losses.len().max(1) as f64;
        let [student, natural, autoencoder, student_autoencoder] =
            [0, 1, 2, 3].map(|part| losses.iter().map(|l| l[part]).sum::<f64>() / count);
        let [mut sum, mut values] = [0.0, 0.0];
        self.for_each_selection_map(|[structural, logical]| {
            values += structural.numel() as f64;
            sum += (structural + logical).sum(Kind::Double).double_value(&[]);
        })?;
        let metrics = EfficientAdMetrics {
            step: self.step,
            loss: student + natural + autoencoder + student_autoencoder,
            student,
            natural,
            autoencoder,
            student_autoencoder,
            selection: sum / values,
            rate: self.rate(),
            seconds: bar.elapsed().as_secs_f64(),
            milliseconds_per_step: elapsed.as_secs_f64() * 1e3 / count,
        };
        self.run.log(&metrics)?;
        let EfficientAdMetrics { step, loss, selection, milliseconds_per_step, .. } = metrics;
        let left = Duration::from_secs_f64(
            milliseconds_per_step * self.run.settings.steps.saturating_sub(step) as f64 / 1e3,
        );
        progress::print(
            bar,
            &format!(
                "step {step:>6}: loss {loss:.4}, selection {selection:.4}, {milliseconds_per_step:.0} ms a step, \
                 {} left",
                indicatif::HumanDuration(left)
            ),
        );
        Ok(())
    }

    /// Computes the unscaled maps of the selection images.
    fn for_each_selection_map(&mut self, mut visit: impl FnMut([Tensor; 2])) -> Result<(), TrainError> {
        for index in 0..self.selection.count() {
            let batch = self.selection.batch(&[index], Kind::Float)?;
            let student_input = self.view.student_input(&batch.image, &batch.targets);
            visit(self.networks.maps(&batch.image, &student_input, &self.view.target(&batch.targets)));
        }
        Ok(())
    }

    /// Scales the maps by the selection images: the fit images' maps are smaller than those of any other part.
    fn finish(mut self) -> Result<TrainOutcome, TrainError> {
        self.networks.set_exact();
        let bar = progress::bar(self.selection.count() as u64, "Quantiles of the maps");
        let mut values = [vec![], vec![]];
        self.for_each_selection_map(|maps| {
            for (values, map) in values.iter_mut().zip(maps) {
                values.extend(to_array(&map).data);
            }
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        if let Some(&value) = values.iter().flatten().find(|value| !value.is_finite()) {
            return Err(TrainError::Diverged { step: self.step, loss: value.into() });
        }
        let mut weights = self.networks.weights();
        self.view.add_to(&mut weights);
        let scales = values.map(MapScale::new);
        for (scale, name) in scales.iter().zip(MAP_OUTPUTS) {
            scale.add_to(&mut weights, name);
        }
        let mut state = ModelState { weights, ..ModelState::default() };
        if !self.run.options::<Options>()?.paper_score {
            let mut image_score = self.image_score(scales)?;
            image_score.score_map = self.run.settings.zones.is_some();
            image_score.add_to(&mut state);
        }
        self.run.save(STUDENT, &state)?;
        Ok(TrainOutcome::Finished { chosen_step: None })
    }

    /// Computes the common score, see [`image_score`].
    fn image_score(&mut self, scales: [MapScale; 2]) -> Result<ImageScorer, TrainError> {
        let layout = super::layout(&self.run.teacher)?;
        let share = f64::from(layout.logical_share());
        let (networks, view) = (&self.networks, &self.view);
        let combined_map = |batch: &SampleBatch| {
            let student_input = view.student_input(&batch.image, &batch.targets);
            let maps = networks.maps(&batch.image, &student_input, &view.target(&batch.targets));
            let scaled = maps.iter().zip(&scales).zip([1.0 - share, share]).map(|((map, scale), share)| {
                (map - f64::from(scale.low)) * (f64::from(scale.factor()) * share)
            });
            scaled.reduce(|sum, map| sum + map)
        };
        let seen = [&mut self.fit, &mut self.selection];
        let diverged = TrainError::Diverged { step: self.step, loss: f64::NAN };
        image_score(seen, layout.margin(), combined_map)?.ok_or(diverged)
    }

    /// Replaces the checkpoint, but never a good one with one that isn't finite.
    fn save(&self) -> Result<(), TrainError> {
        let mut weights = self.networks.state();
        if weights.values().flat_map(|array| &array.data).any(|x| !x.is_finite()) {
            return Err(TrainError::Diverged { step: self.step, loss: f64::NAN });
        }
        self.view.add_to(&mut weights);
        let notes = [("step".to_owned(), self.step.to_string())].into_iter().collect();
        Ok(self.run.save(CHECKPOINT, &ModelState { weights, notes })?)
    }
}

/// Opens the natural photos at twice the input's size; their middle is shown.
fn open_natural(run: &Run, options: &Options) -> Result<Option<Natural>, TrainError> {
    let Some(natural) = &options.natural else { return Ok(None) };
    let Size { width, height } = run.settings.recipe.input;
    let size = Size { width: 2 * width, height: 2 * height };
    Ok(Some(Natural::open(&natural.folder, size, Some(natural.count))?))
}

fn centre_crop(photo: &Tensor, size: Size) -> Tensor {
    let (height, width) = (i64::from(size.height), i64::from(size.width));
    photo.narrow(2, height / 2, height).narrow(3, width / 2, width)
}
