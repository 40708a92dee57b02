//! The images of a run, and those of a step.

use std::path::PathBuf;

use methods::Flip;
use tch::{Kind, Tensor};

use super::augment::augment;
use crate::method::TrainError;
use crate::run::Run;
use crate::samples::{ImageSet, SampleBatch, Samples, memory_budget};
use crate::torch::{Compute, Frozen, channels_last};

/// Reads the images of a run to learn from, and those that choose the checkpoint.
///
/// # Errors
/// If an image can no longer be read.
pub fn load_samples(run: &Run, compute: Compute) -> Result<[Samples; 2], TrainError> {
    let settings = &run.settings;
    let budget = memory_budget();
    let (fit, selection) = (settings.paths(&settings.fit), settings.paths(&settings.selection));
    let fit = load_set(run, compute, fit, settings.flip, budget, "Teacher: fit images")?;
    let selection = load_set(run, compute, selection, Flip::None, budget / 4, "Teacher: selection")?;
    Ok([fit, selection])
}

/// Reads images as the run's recipe prepares them, keeping at most `budget` bytes in memory.
///
/// # Errors
/// If an image can no longer be read.
pub fn load_set(
    run: &Run,
    compute: Compute,
    paths: Vec<PathBuf>,
    flip: Flip,
    budget: usize,
    what: &str,
) -> Result<Samples, TrainError> {
    let network = &run.teacher.network;
    // The teacher processes each image only once, so full precision is affordable.
    let exact = Compute { kind: Kind::Float, ..compute };
    let teacher = Frozen::new(network, &run.teacher.weights, exact);
    let set = ImageSet { paths, recipe: run.settings.recipe, flip };
    Samples::load(set, network, teacher, compute, budget, what)
}

/// Returns samples whose images are augmented in a way that depends on `seed` and `step` only, with the teacher's levels of them.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn augmented_batch(
    fit: &mut Samples,
    indices: &[usize],
    kind: Kind,
    (seed, step): (u64, u64),
) -> Result<SampleBatch, TrainError> {
    let image = augmented_images(fit, indices, kind, (seed, step))?;
    Ok(SampleBatch { targets: fit.teacher_features(&image), image: image.to_kind(kind) })
}

/// Returns the images of [`augmented_batch`] alone, N×3×H×W in 32-bit floats.
///
/// # Errors
/// If an image that is not kept in memory can no longer be read.
pub fn augmented_images(
    fit: &mut Samples,
    indices: &[usize],
    kind: Kind,
    (seed, step): (u64, u64),
) -> Result<Tensor, TrainError> {
    let batch = fit.batch(indices, kind)?;
    let [mean, std] = fit.channels();
    Ok(channels_last(&augment(&batch.image, (mean, std), seed, step)))
}

/// Sets libtorch's global generator for a step, so that a resumed run draws the same dropout and noise as an uninterrupted one.
pub fn seed_step(seed: u64, step: u64) {
    tch::manual_seed((seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15)) as i64);
}
