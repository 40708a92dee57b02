//! Learners whose network gives a map of anomalies: from the first step to the common score, and to the exported model.

use methods::image_score::ImageScorer;
use networks::onnx::{GraphBuilder, Value};
use networks::teacher::Teacher;
use networks::{ModelState, StateError, Weights, normalise, to_onnx};
use shared_format::Size;
use tch::{Kind, Tensor};

use super::{Learner, LrSchedule, Rate, Training, check_every, load_samples};
use crate::held_out::image_score;
use crate::method::{TrainError, TrainOutcome};
use crate::order::in_order;
use crate::progress;
use crate::run::{BEST, CHECKPOINT, Run, STUDENT};
use crate::samples::{SampleBatch, Samples};
use crate::torch::Compute;

/// The output of a model with [`with_map`](build_graph) that holds the learner's own map.
pub const MAP_OUTPUT: &str = "map";

/// What a learner's map is computed from in an exported model.
#[derive(Debug, Clone)]
pub struct GraphInputs {
    /// The image, 1×3×H×W, RGB 0..1.
    pub image: Value,
    /// The image as the teacher expects it.
    pub normalised: Value,
    /// The teacher's levels, finest first; none if the learner does without them.
    pub levels: Vec<Value>,
}

/// A learner with a map of anomalies. Training, checkpoints, score and export are the same for all of them.
pub trait MapLearner: Learner {
    /// Returns whether the map is computed from the teacher's levels. Otherwise the exported model contains no teacher.
    fn uses_teacher(&self) -> bool;

    /// Prepares a training: opens further images, and if the run is new, measures the fit images. Returns `false` if a stop was
    /// requested.
    ///
    /// # Errors
    /// If an image can no longer be read, or the run's options don't fit its images.
    fn prepare(
        &mut self,
        run: &Run,
        compute: Compute,
        fit: &mut Samples,
        is_new: bool,
    ) -> Result<bool, TrainError>;

    /// Computes the map of samples, N×1×h×w, without gradients; larger is more anomalous.
    fn map(&self, batch: &SampleBatch) -> Tensor;

    /// Measures on good parts what the map needs beside the weights of the finished training.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    fn settle(&mut self, _good: [&mut Samples; 2]) -> Result<(), TrainError> {
        Ok(())
    }

    /// Loads the weights that [`Learner::weights`] returned, also after [`Self::settle`].
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape; the error names it.
    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError>;

    /// Adds the map to a model, 1×1×h×w.
    ///
    /// # Errors
    /// If the learner's weights lack what [`Self::settle`] measures.
    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError>;
}

/// Trains the run's learner to the end, or until a stop is requested. `rate` is the highest learning rate; `new_learner` returns the
/// untrained learner and may use libtorch's global generator.
///
/// # Errors
/// If training diverges, the disk can't be written, or an image can no longer be read.
pub fn train_map<L: MapLearner>(
    run: &Run,
    compute: Compute,
    rate: f64,
    new_learner: impl FnOnce() -> L,
) -> Result<TrainOutcome, TrainError> {
    let settings = &run.settings;
    let [mut fit, selection] = load_samples(run, compute)?;
    let state = run.load(CHECKPOINT)?;
    let reached = state.as_ref().and_then(|state| state.number("step")).unwrap_or(0);
    tch::manual_seed(settings.seed as i64);
    let mut learner = new_learner();
    if progress::stop_requested() || !learner.prepare(run, compute, &mut fit, state.is_none())? {
        return Ok(TrainOutcome::Interrupted { step: reached });
    }
    let lr_schedule = LrSchedule::new(Rate::Falling(rate), settings.steps);
    let check_every = check_every(settings.steps);
    let mut training =
        Training::new(run, learner, [fit, selection], lr_schedule, check_every, state.as_ref())?;
    if !training.steps()? {
        return Ok(TrainOutcome::Interrupted { step: training.step() });
    }
    finish(run, training)
}

/// Loads the chosen weights, and computes the common score, see [`image_score`].
fn finish<L: MapLearner>(run: &Run, mut training: Training<'_, L>) -> Result<TrainOutcome, TrainError> {
    let best = run.best()?;
    training.learner.load_weights(&best.weights).map_err(|reason| run.damaged(BEST, reason))?;
    let (step, chosen_step) = (training.step(), training.chosen_step());
    let Training { learner, fit, selection, .. } = &mut training;
    learner.settle([&mut *fit, &mut *selection])?;
    let map = |batch: &SampleBatch, _: &[usize]| Some(tch::no_grad(|| learner.map(batch)));
    let diverged = TrainError::Diverged { step, loss: f64::NAN };
    let mut image_score = image_score([fit, selection], 0, map)?.ok_or(diverged)?;
    image_score.score_map = run.settings.zones.is_some();
    let mut state = ModelState { weights: learner.weights(), ..ModelState::default() };
    image_score.add_to(&mut state);
    run.save(STUDENT, &state)?;
    Ok(TrainOutcome::Finished { chosen_step })
}

/// Returns the run's finished model as ONNX; `learner` has the run's options.
///
/// # Errors
/// If the run has no student yet, or it is damaged.
pub fn export_map<L: MapLearner>(run: &Run, mut learner: L) -> Result<Vec<u8>, TrainError> {
    let damaged = |e: StateError| run.damaged(STUDENT, e);
    let state = run.student()?;
    learner.load_weights(&state.weights).map_err(damaged)?;
    let image_score = ImageScorer::from_state(&state).map_err(damaged)?;
    let image_score = image_score.ok_or_else(|| damaged(StateError::missing("image_score")))?;
    let settings = &run.settings;
    let built =
        build_graph(&settings.method, &run.teacher, &learner, &image_score, settings.recipe.input, false);
    built.map_err(|e| damaged(e).into())
}

/// Builds the ONNX model of a learner for input size `input`: `anomaly_map` and `score` are those that all methods compute from a map
/// ([`methods::image_score`]). `with_map` adds the output [`MAP_OUTPUT`].
///
/// # Errors
/// See [`MapLearner::add_map`].
pub fn build_graph<L: MapLearner>(
    method: &str,
    teacher: &Teacher,
    learner: &L,
    image_score: &ImageScorer,
    input: Size,
    with_map: bool,
) -> Result<Vec<u8>, StateError> {
    let mut graph = GraphBuilder::new(method);
    let g = &mut graph;
    let image = g.input("image", &[1, 3, input.height as usize, input.width as usize]);
    let normalised = normalise(&teacher.network, g, &image);
    let levels = if learner.uses_teacher() {
        to_onnx(&teacher.network, &teacher.weights, g, &normalised, "teacher.")
    } else {
        vec![]
    };
    let map = learner.add_map(g, &GraphInputs { image, normalised, levels })?;
    if map.shape()[2..] != image_score.grid {
        return Err(StateError::Sides("image score"));
    }
    if with_map {
        g.output(MAP_OUTPUT, &map);
    }
    image_score.add(g, &map, None, input);
    Ok(graph.finish())
}

/// Computes the mean of what `value` returns for each batch of all these samples, each sample counting alike.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn mean_over(samples: &mut Samples, value: impl Fn(&SampleBatch) -> Tensor) -> Result<f64, TrainError> {
    let (mut sum, count) = (0.0, samples.count());
    for indices in in_order(count) {
        let batch = samples.batch(&indices, Kind::Float)?;
        sum += tch::no_grad(|| value(&batch)).double_value(&[]) * indices.len() as f64;
    }
    Ok(sum / count.max(1) as f64)
}
