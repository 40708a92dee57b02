//! How a frame's score is defined.

use serde::{Deserialize, Serialize};

use crate::zones::Zones;

/// Number of features in a [`Descriptor`].
pub const FEATURES: usize = 8;
/// The quantiles of the anomaly map that form the first features; the last feature is the model's score.
pub const MAP_QUANTILES: [f64; FEATURES - 1] = [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// How a frame's score is defined.
#[expect(clippy::large_enum_variant, reason = "nothing allocates here, and a bundle has one")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ImageScore {
    /// The model's output `score`; with several tiles, the largest.
    Model,
    /// How far a few statistics of the anomaly map are from those of normals.
    Descriptor(Descriptor),
    /// How far the worst of several zones is from normals.
    Zones(Zones),
}

impl ImageScore {
    /// Returns the zones, if it has any.
    #[must_use]
    pub const fn zones(&self) -> Option<&Zones> {
        if let Self::Zones(zones) = self { Some(zones) } else { None }
    }

    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Model => true,
            Self::Descriptor(Descriptor { mean, whitening }) => {
                mean.iter().chain(whitening.iter().flatten()).all(|x| x.is_finite())
            }
            Self::Zones(zones) => zones.is_valid(),
        }
    }
}

/// A Gaussian fitted to the normals' features. The score is the Mahalanobis distance from it, ‖W (features − mean)‖,
/// computed in 64-bit floats: it has no physical unit, but counts standard deviations of the normals.
///
/// A frame's features are the [`MAP_QUANTILES`] of its whole anomaly map (all tiles together; of *n* ascending values,
/// the one at index ⌊*q* · (*n* − 1)⌋, counted from 0 and computed in 64-bit floats), followed by the score of
/// [`ImageScore::Model`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Mean of the normals' features.
    pub mean: [f32; FEATURES],
    /// W, row by row: WᵀW is the inverse of the normals' covariance.
    pub whitening: [[f32; FEATURES]; FEATURES],
}
