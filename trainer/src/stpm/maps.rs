//! Combines the levels' distances into a map.

use methods::image_score::ImageScorer;
use networks::{Array, ModelState, StateError};
use shared_format::Size;
use tch::Tensor;

use super::comparison::level_name;
use crate::residuals::ResidualGaussians;

/// A distance counts as at least this share of its scale, so that its logarithm stays finite.
pub const MIN_SHARE: f32 = 1e-3;
/// The name of the levels' scales in a run's state.
const SCALES: &str = "scoring.scales";

/// Returns the levels' weights, which add up to 1: a position of the next coarser level covers four times the area and counts four
/// times as much.
#[must_use]
pub fn level_weights(levels: usize) -> Vec<f32> {
    let areas: Vec<f32> = (0..levels).map(|level| 4f32.powi(level as i32)).collect();
    let total: f32 = areas.iter().sum();
    areas.into_iter().map(|area| area / total).collect()
}

/// Computes the weighted geometric mean over the levels of each distance divided by its scale, on the finest grid: N×1×h×w, about 1
/// on good parts.
#[must_use]
pub fn combined(distances: &[Tensor], scales: &[f32]) -> Option<Tensor> {
    let fine = distances.first()?.size();
    let weights = level_weights(distances.len());
    let level = |((distance, scale), weight): ((&Tensor, &f32), f32)| {
        let log = (distance / f64::from(*scale)).clamp_min(f64::from(MIN_SHARE)).log() * f64::from(weight);
        log.upsample_bilinear2d([fine[2], fine[3]], false, None, None)
    };
    Some(distances.iter().zip(scales).zip(weights).map(level).reduce(|sum, level| sum + level)?.exp())
}

/// How the levels' distances become a map and a score.
#[derive(Debug, Clone, PartialEq)]
pub enum Scoring {
    /// One map with the score common to all methods.
    Common {
        /// The Gaussians of each level's residuals, finest first. `None` if residuals aren't whitened, or those of good parts don't
        /// differ; then distances are those of the comparison.
        gaussians: Option<Vec<ResidualGaussians>>,
        /// The mean distance of each level on good parts, finest first; it makes levels comparable.
        scales: Vec<f32>,
        /// The score of the map that [`combined`] returns.
        image_score: Box<ImageScorer>,
    },
    /// The paper's: the product of the levels, and its maximum.
    Paper,
}

impl Scoring {
    /// Reads the common scoring that [`Self::add_to`] wrote, for `levels` levels and this input size.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn common(state: &ModelState, levels: usize, input: Size) -> Result<Self, StateError> {
        let scales = state.weights.get(SCALES).ok_or(StateError::missing(SCALES))?.data.clone();
        if scales.len() != levels || scales.iter().any(|scale| !scale.is_normal() || *scale < 0.0) {
            return Err(StateError::values(SCALES));
        }
        let image_score = ImageScorer::from_state(state)?.ok_or(StateError::missing("image_score"))?;
        let image_score = Box::new(image_score);
        let read = |level| ResidualGaussians::from_state(&state.weights, &level_name(level), input);
        let gaussians: Vec<Option<ResidualGaussians>> = (0..levels).map(read).collect::<Result<_, _>>()?;
        let gaussians = if gaussians.iter().all(Option::is_none) {
            None
        } else {
            Some(gaussians.into_iter().collect::<Option<_>>().ok_or(StateError::missing("residual_mean"))?)
        };
        Ok(Self::Common { gaussians, scales, image_score })
    }

    /// Adds the scoring to a student's state.
    pub fn add_to(&self, state: &mut ModelState) {
        if let Self::Common { gaussians, scales, image_score } = self {
            for (level, gaussians) in gaussians.iter().flatten().enumerate() {
                gaussians.add_to(&mut state.weights, &level_name(level));
            }
            let array = Array { shape: vec![scales.len()], data: scales.clone() };
            state.weights.insert(SCALES.to_owned(), array);
            image_score.add_to(state);
        }
    }
}
