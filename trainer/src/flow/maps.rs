//! How the levels' negative log-likelihoods become a map and a score.

use methods::image_score::ImageScorer;
use networks::{ModelState, StateError};

use crate::level_maps::{LevelScale, add_scales_to, scales_from};

/// How the levels' negative log-likelihoods become a map and a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    /// The scale of each level, finest first.
    pub scales: Vec<LevelScale>,
    /// The score of the map that [`combined`](crate::level_maps::combined) returns.
    pub image_score: ImageScorer,
}

impl Scoring {
    /// Reads what [`Self::add_to`] wrote, for `levels` levels.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn from_state(state: &ModelState, levels: usize) -> Result<Self, StateError> {
        let scales = scales_from(&state.weights, levels)?;
        let image_score = ImageScorer::from_state(state)?.ok_or(StateError::missing("image_score"))?;
        Ok(Self { scales, image_score })
    }

    /// Adds the scoring to a run's state.
    pub fn add_to(&self, state: &mut ModelState) {
        add_scales_to(&mut state.weights, &self.scales);
        self.image_score.add_to(state);
    }
}
