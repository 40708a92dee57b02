//! Trains the flows, and measures the likelihoods of good parts.

use tch::Kind;

use super::learner::Flows;
use super::level::LevelLayout;
use super::maps::Scoring;
use super::options::Options;
use super::whitening::Whitening;
use crate::held_out::image_score;
use crate::level_maps::{LevelScale, LevelSums, combined};
use crate::method::{TrainError, TrainOutcome};
use crate::order::in_order;
use crate::progress;
use crate::run::{BEST, CHECKPOINT, ModelState, Run, STUDENT};
use crate::samples::{SampleBatch, Samples};
use crate::torch::Compute;
use crate::training::{Learner as _, LrSchedule, Rate, Training, check_every, load_samples};

/// Adam's learning rate.
const RATE: f64 = 1e-3;

/// Trains the run's flows to the end, or until a stop is requested.
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
fn start(run: &Run, compute: Compute) -> Result<Option<Training<'_, Flows>>, TrainError> {
    let settings = &run.settings;
    let options: Options = run.options()?;
    let [mut fit, selection] = load_samples(run, compute)?;
    if progress::stop_requested() {
        return Ok(None);
    }
    tch::manual_seed(settings.seed as i64);
    let layouts = layouts(&options, &mut fit)?;
    let mut flows = Flows::new(&layouts, compute.device, settings.seed);
    let state = run.load(CHECKPOINT)?;
    if state.is_none() {
        let Some(whitenings) = Whitening::measured(&mut fit, compute.device)? else { return Ok(None) };
        for (flow, whitening) in flows.levels.iter_mut().zip(whitenings) {
            flow.whitening = whitening;
        }
    }
    let lr_schedule = LrSchedule::new(Rate::Falling(RATE), settings.steps);
    let check_every = check_every(settings.steps);
    Training::new(run, flows, [fit, selection], lr_schedule, check_every, state.as_ref()).map(Some)
}

/// Returns the layouts for the levels of these samples.
fn layouts(options: &Options, samples: &mut Samples) -> Result<Vec<LevelLayout>, TrainError> {
    let first = samples.batch(&[0], Kind::Float)?;
    let shape = |level: &tch::Tensor| level.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
    Ok(first.targets.iter().map(|level| LevelLayout::of(options, &shape(level))).collect())
}

/// Loads the chosen flows, and computes the common score, see [`image_score`].
fn finish(run: &Run, mut training: Training<'_, Flows>) -> Result<TrainOutcome, TrainError> {
    let best = run.best()?;
    training.learner.load_weights(&best.weights).map_err(|reason| run.damaged(BEST, reason))?;
    let (step, chosen_step) = (training.step(), training.chosen_step());
    let diverged = || TrainError::Diverged { step, loss: f64::NAN };
    let Training { learner: flows, fit, selection, .. } = &mut training;
    let negative_log_likelihoods =
        |batch: &SampleBatch| tch::no_grad(|| flows.negative_log_likelihoods(&batch.targets));
    let mut sums = vec![LevelSums::default(); flows.levels.len()];
    for samples in [&mut *fit, &mut *selection] {
        for indices in in_order(samples.count()) {
            let levels = negative_log_likelihoods(&samples.batch(&indices, Kind::Float)?);
            sums.iter_mut().zip(&levels).for_each(|(sums, level)| sums.add(level));
        }
    }
    let scales: Option<Vec<LevelScale>> = sums.iter().map(LevelSums::scale).collect();
    let scales = scales.ok_or_else(diverged)?;
    let map = |batch: &SampleBatch, _: &[usize]| combined(&negative_log_likelihoods(batch), &scales);
    let mut image_score = image_score([fit, selection], 0, map)?.ok_or_else(diverged)?;
    image_score.score_map = run.settings.zones.is_some();
    let mut state = ModelState { weights: flows.weights(), ..ModelState::default() };
    Scoring { scales, image_score }.add_to(&mut state);
    run.save(STUDENT, &state)?;
    Ok(TrainOutcome::Finished { chosen_step })
}
