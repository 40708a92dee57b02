//! Trains the student, and measures its distances on good parts.

use tch::Kind;

use super::comparison::Comparison;
use super::learner::Student;
use super::maps::{Scoring, combined};
use super::optimiser::Optimiser;
use super::options::Options;
use crate::held_out::{for_each_batch, image_score};
use crate::method::{TrainError, TrainOutcome};
use crate::progress;
use crate::residuals::CrossFitted;
use crate::run::{BEST, CHECKPOINT, ModelState, Run, STUDENT};
use crate::samples::SampleBatch;
use crate::schedule::Schedule;
use crate::torch::{Compute, Trainable};
use crate::training::{Learner as _, LrSchedule, Rate, Training, check_every, load_samples};

/// The official recipe's learning rate, of SGD …
const PAPER_RATE: f64 = 0.4;
/// … and ours, of Adam.
const RATE: f64 = 0.02;
/// Minimum mean distance of a level: a student that imitates a constant picture to the last digit has a distance of 0.
const MIN_SCALE: f32 = 1e-9;

/// Trains the run's student to the end, or until a stop is requested.
pub fn train(run: &Run, compute: Compute) -> Result<TrainOutcome, TrainError> {
    let mut training = start(run, compute)?;
    if progress::stop_requested() || !training.steps()? {
        return Ok(TrainOutcome::Interrupted { step: training.step() });
    }
    finish(run, training)
}

fn start(run: &Run, compute: Compute) -> Result<Training<'_, Student>, TrainError> {
    let settings = &run.settings;
    let teacher = &run.teacher.network;
    tch::manual_seed(settings.seed as i64);
    let network = Trainable::random(teacher, compute);
    let options: Options = run.options()?;
    let schedule = options.schedule.unwrap_or(Schedule::Short);
    let follows_the_paper = options.follows_the_paper();
    let [mut fit, selection] = load_samples(run, compute)?;
    let state = run.load(CHECKPOINT)?;
    let comparison = match &state {
        Some(state) => Comparison::from_state(&state.weights, teacher.levels.len())
            .map_err(|reason| run.damaged(CHECKPOINT, reason))?,
        None if follows_the_paper => Comparison::Directions,
        // A stop request is honoured before the first step.
        None => Comparison::measured(teacher, &mut fit)?.unwrap_or(Comparison::Directions),
    };
    // The paper's code checks after each pass over the images.
    let (rate, check_every) = if follows_the_paper {
        (Rate::Constant(PAPER_RATE), fit.count().div_ceil(settings.batch) as u64)
    } else {
        (Rate::Falling(RATE), check_every(settings.steps))
    };
    let optimiser = Optimiser::new(schedule, &network.parameters);
    let (seed, batch) = (settings.seed, settings.batch);
    let student = Student { network, comparison, optimiser, follows_the_paper, seed, batch };
    let lr_schedule = LrSchedule::new(rate, settings.steps);
    Training::new(run, student, [fit, selection], lr_schedule, check_every, state.as_ref())
}

/// Loads the chosen student, sets its BatchNorm statistics from all fit images, and measures its distances on good parts.
fn finish(run: &Run, mut training: Training<'_, Student>) -> Result<TrainOutcome, TrainError> {
    let best = run.best()?;
    let student = &mut training.learner;
    student.network.load(&best.weights).map_err(|reason| run.damaged(BEST, reason))?;
    // As in the exported model: statistics of normals must not contain another number format's noise.
    student.network.set_kind(Kind::Float);
    if !student.follows_the_paper {
        let count = training.fit.count();
        let bar = progress::bar(count as u64, "Statistics of normals");
        student.set_norms(&mut training.fit, count, |samples| bar.inc(samples as u64))?;
        bar.finish_and_clear();
    }
    let options: Options = run.options()?;
    let scoring = if options.paper_score { Scoring::Paper } else { scoring(run, &mut training)? };
    let student = &training.learner;
    let mut state = ModelState { weights: student.weights(), ..ModelState::default() };
    student.comparison.add_to(&mut state.weights);
    scoring.add_to(&mut state);
    run.save(STUDENT, &state)?;
    Ok(TrainOutcome::Finished { chosen_step: training.chosen_step() })
}

/// Computes the common score, see [`image_score`], with Gaussians of the residuals of good parts if they are to be whitened.
fn scoring(run: &Run, training: &mut Training<'_, Student>) -> Result<Scoring, TrainError> {
    let diverged = TrainError::Diverged { step: training.step(), loss: f64::NAN };
    let Training { learner: student, fit, selection, .. } = training;
    let fitted = if run.options::<Options>()?.whiten_residuals {
        CrossFitted::fit([&mut *fit, &mut *selection], |batch| student.residuals(batch))?
    } else {
        None
    };
    let level_distances = |batch: &SampleBatch, parts: &[usize]| match &fitted {
        Some(fitted) => fitted.distances(&student.residuals(batch), parts),
        None => student.distances(batch, &tch::no_grad(|| student.network.levels(&batch.image, None))),
    };
    let (mut sums, mut count) = (vec![], 0);
    for_each_batch([&mut *fit, &mut *selection], |batch, parts| {
        count += parts.len();
        let distances = level_distances(batch, parts);
        sums.resize(distances.len(), 0.0);
        for (sum, distance) in sums.iter_mut().zip(&distances) {
            *sum += distance.mean(Kind::Double).double_value(&[]) * parts.len() as f64;
        }
    })?;
    let mean = |sum: f64| ((sum / count as f64) as f32).max(MIN_SCALE);
    let scales: Vec<f32> = sums.into_iter().map(mean).collect();
    let map = |batch: &SampleBatch, parts: &[usize]| combined(&level_distances(batch, parts), &scales);
    let mut image_score = image_score([fit, selection], 0, map)?.ok_or(diverged)?;
    image_score.score_map = run.settings.zones.is_some();
    let gaussians = fitted.map(|fitted| fitted.all);
    Ok(Scoring::Common { gaussians, scales, image_score: Box::new(image_score) })
}
