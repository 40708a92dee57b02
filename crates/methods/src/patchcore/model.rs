//! The learned PatchCore model.

use serde::{Deserialize, Serialize};

use crate::features::Projection;

/// PatchCore's own ways to turn a map of distances into the image's score, instead of [`crate::image_score`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// The mean of the worst 5 % of the smoothed map.
    Worst,
    /// The largest distance.
    Maximum,
    /// The largest distance, reduced the more, the closer the neighbours of the nearest entry are to the position: the
    /// paper's choice.
    Reweighted,
}

impl Score {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Self); 3] =
        [("worst", Self::Worst), ("maximum", Self::Maximum), ("reweighted", Self::Reweighted)];

    /// Returns the name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, score)| *score == self).map_or("", |(name, _)| name)
    }

    /// Returns the score with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, score)| *score)
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Maps features to the entries' dimensions.
    pub projection: Projection,
    /// The bank: entries × dimensions.
    pub bank: Vec<f32>,
    /// Number of nearest entries whose distances are averaged; 1 in the paper.
    pub neighbours: usize,
    /// The method's own score, if not by [`crate::image_score`].
    pub score: Option<Score>,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}

impl Model {
    /// Returns the number of entries in the bank.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.bank.len() / self.projection.outputs
    }
}
