//! What PatchCore has learned.

use serde::{Deserialize, Serialize};

use crate::features::Projection;

/// How a map of distances becomes the image's score, instead of by [`crate::image_score`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// The mean of the worst 5 % of the smoothed map.
    Worst,
    /// The largest distance.
    Maximum,
    /// The largest distance, the less the closer the neighbours of its nearest entry are to it: the paper's choice.
    Reweighted,
}

impl Score {
    /// All of them, with the names that users give.
    pub const ALL: [(&'static str, Self); 3] =
        [("worst", Self::Worst), ("maximum", Self::Maximum), ("reweighted", Self::Reweighted)];

    /// The name that users give.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, score)| *score == self).map_or("", |(name, _)| name)
    }

    /// The score of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, score)| *score)
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Features → entries' dimensions.
    pub projection: Projection,
    /// Entries × dimensions.
    pub bank: Vec<f32>,
    /// Nearest entries whose distances are averaged; 1 for the paper's.
    pub neighbours: usize,
    /// Map → score, if not by [`crate::image_score`].
    pub score: Option<Score>,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}

impl Model {
    /// Entries of the bank.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.bank.len() / self.projection.outputs
    }
}
