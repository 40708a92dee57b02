//! Trains student and autoencoder, and measures their maps of good parts.

use methods::image_score::ImageScorer;
use networks::StateError;
use tch::Kind;

use super::graph::MAP_OUTPUTS;
use super::hyperparameters::Hyperparameters;
use super::learner::{EfficientAdLearner, open_natural};
use super::networks::Networks;
use super::options::Options;
use super::statistics::MapScale;
use super::teacher_view::TeacherView;
use crate::held_out::image_score;
use crate::method::{TrainError, TrainOutcome};
use crate::progress;
use crate::run::{CHECKPOINT, ModelState, Run, STUDENT};
use crate::samples::SampleBatch;
use crate::torch::{Compute, Frozen, to_array};
use crate::training::{Learner as _, LrSchedule, Training, load_samples};

/// Number of checks, at which losses are logged and the selection images evaluated.
const CHECKS: u64 = 20;

/// Trains the run's networks to the end, or until a stop is requested.
pub fn train(run: &Run, compute: Compute) -> Result<TrainOutcome, TrainError> {
    let Some(mut training) = start(run, compute)? else {
        let reached = run.load(CHECKPOINT)?.and_then(|state| state.number("step"));
        return Ok(TrainOutcome::Interrupted { step: reached.unwrap_or(0) });
    };
    if !training.steps()? {
        return Ok(TrainOutcome::Interrupted { step: training.step() });
    }
    finish(run, training)
}

/// Reads the images; returns `None` if a stop was requested meanwhile.
fn start(run: &Run, compute: Compute) -> Result<Option<Training<'_, EfficientAdLearner>>, TrainError> {
    let settings = &run.settings;
    let network = &run.teacher.network;
    let layout = super::layout(&run.teacher)?;
    let input = settings.recipe.input;
    tch::manual_seed(settings.seed as i64);
    let networks = Networks::random(layout, input, compute);
    let options: Options = run.options()?;
    let natural = options.natural.as_ref();
    let natural = natural.map(|natural| open_natural(&natural.folder, natural.count, input)).transpose()?;
    let [mut fit, selection] = load_samples(run, compute)?;
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
    let hyperparameters: Hyperparameters = layout.hyperparameters(options.schedule);
    let (hard, seed) = (hyperparameters.hard, settings.seed);
    let learner = EfficientAdLearner { networks, view, natural, hard, input, seed, last: Default::default() };
    let lr_schedule = LrSchedule::new(hyperparameters.rate(options.schedule), settings.steps);
    let check_every = (settings.steps / CHECKS).max(1);
    Training::new(run, learner, [fit, selection], lr_schedule, check_every, state.as_ref()).map(Some)
}

/// Scales the maps by the selection images: the fit images' maps are smaller than those of any other part.
fn finish(run: &Run, mut training: Training<'_, EfficientAdLearner>) -> Result<TrainOutcome, TrainError> {
    training.learner.networks.set_exact();
    let step = training.step();
    let Training { learner, selection, .. } = &mut training;
    let bar = progress::bar(selection.count() as u64, "Quantiles of the maps");
    let mut values = [vec![], vec![]];
    for index in 0..selection.count() {
        let maps = learner.maps(&selection.batch(&[index], Kind::Float)?);
        values.iter_mut().zip(maps).for_each(|(values, map)| values.extend(to_array(&map).data));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(&value) = values.iter().flatten().find(|value| !value.is_finite()) {
        return Err(TrainError::Diverged { step, loss: value.into() });
    }
    let mut weights = learner.weights();
    learner.view.add_to(&mut weights);
    let scales = values.map(MapScale::new);
    for (scale, name) in scales.iter().zip(MAP_OUTPUTS) {
        scale.add_to(&mut weights, name);
    }
    let mut state = ModelState { weights, ..ModelState::default() };
    if !run.options::<Options>()?.paper_score {
        let mut image_score = common_score(run, &mut training, scales)?;
        image_score.score_map = run.settings.zones.is_some();
        image_score.add_to(&mut state);
    }
    run.save(STUDENT, &state)?;
    Ok(TrainOutcome::Finished { chosen_step: None })
}

/// Computes the common score, see [`image_score`].
fn common_score(
    run: &Run,
    training: &mut Training<'_, EfficientAdLearner>,
    scales: [MapScale; 2],
) -> Result<ImageScorer, TrainError> {
    let layout = super::layout(&run.teacher)?;
    let share = f64::from(layout.logical_share());
    let diverged = TrainError::Diverged { step: training.step(), loss: f64::NAN };
    let Training { learner, fit, selection, .. } = training;
    let combined_map = |batch: &SampleBatch, _: &[usize]| {
        let maps = learner.maps(batch);
        let scaled =
            maps.iter().zip(&scales).zip([1.0 - share, share]).map(|((map, scale), share)| {
                (map - f64::from(scale.low)) * (f64::from(scale.factor()) * share)
            });
        scaled.reduce(|sum, map| sum + map)
    };
    image_score([fit, selection], layout.margin(), combined_map)?.ok_or(diverged)
}
