//! What PatchCore has learned.

use networks::Array;
use serde::{Deserialize, Serialize};

use crate::features::Projection;

/// Fewest images whose places are compared with what they usually are.
const STANDARDISED_FROM: usize = 40;

/// How a map of distances becomes the image's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// The mean of the worst 5 % of the smoothed map, standardised place by place: how many deviations the part is from
    /// what good parts of that place are.
    Standardised,
    /// The mean of the worst 5 % of the smoothed map.
    Worst,
    /// The largest distance.
    Maximum,
    /// The largest distance, the less the closer the neighbours of its nearest entry are to it: the paper's choice.
    Reweighted,
}

impl Score {
    /// All of them, with the names that users give.
    pub const ALL: [(&'static str, Self); 4] = [
        ("standardised", Self::Standardised),
        ("worst", Self::Worst),
        ("maximum", Self::Maximum),
        ("reweighted", Self::Reweighted),
    ];

    /// The better one on the development sets for so many images to learn from. Few would be missed in the bank if they were
    /// spared, and say little of a place.
    #[must_use]
    pub const fn of_images(count: usize) -> Self {
        if count < STANDARDISED_FROM { Self::Worst } else { Self::Standardised }
    }

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
    /// Map → score.
    pub score: Score,
    /// What smoothed distances are on good parts, for [`Score::Standardised`].
    pub places: Option<Places>,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}

/// Mean and deviation of the smoothed distance at each position, on parts that are not in the bank.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// Rows × columns.
    pub mean: Array,
    /// Rows × columns, nowhere 0.
    pub deviation: Array,
}

impl Model {
    /// Entries of the bank.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.bank.len() / self.projection.outputs
    }
}
