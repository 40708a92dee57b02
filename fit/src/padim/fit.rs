//! Images of good parts → Gaussians.

use super::gaussian::Gaussians;
use super::model::Model;
use super::reduction::{Reduction, reduce};
use crate::features::{FeatureError, FeatureSet};

/// Largest model whose covariances are written; a frame's verdict reads all of it.
const MAX_BYTES: usize = 64 << 20;

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Dimensions that the features are reduced to.
    pub dimensions: usize,
    /// How they are reduced.
    pub reduction: Reduction,
    /// Full covariances, or their diagonals.
    pub full: bool,
    /// Share of the mean variance in each covariance, 0..1.
    pub shrinkage: f64,
    /// Seeds the reduction.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { dimensions: 64, reduction: Reduction::Orthogonal, full: true, shrinkage: 0.1, seed: 0 }
    }
}

/// Why no Gaussians were fitted.
#[derive(Debug, thiserror::Error)]
pub enum PadimError {
    /// The features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The model would be too large.
    #[error(
        "full covariances of {dimensions} dimensions at {positions} positions take {} MiB, more than {} MiB; take \
         --dimensions {largest}, --covariance diagonal, or a smaller --size",
        .bytes >> 20, MAX_BYTES >> 20
    )]
    TooLarge {
        /// Dimensions asked for.
        dimensions: usize,
        /// Positions of the features' grid.
        positions: usize,
        /// Bytes they would take.
        bytes: usize,
        /// The most dimensions that fit.
        largest: usize,
    },
}

/// Fits a model to the images at `indices` of `set`. `progress` is called after each image. `None` where it says `false`:
/// someone asked to stop.
///
/// # Errors
/// See [`PadimError`].
pub fn fit(
    set: &mut FeatureSet,
    indices: &[usize],
    options: &Options,
    mut progress: impl FnMut() -> bool,
) -> Result<Option<Model>, PadimError> {
    let [channels, rows, columns] = set.shape();
    let positions = rows * columns;
    let reduction = reduce(options.reduction, channels, options.dimensions, options.seed);
    let dimensions = reduction.outputs;
    let bytes = 4 * positions * dimensions * dimensions;
    if options.full && bytes > MAX_BYTES {
        let largest = (MAX_BYTES / (4 * positions)).isqrt();
        return Err(PadimError::TooLarge { dimensions, positions, bytes, largest });
    }
    let mut gaussians = Gaussians::new(positions, dimensions, options.full);
    for &index in indices {
        for tile in set.of(index)?.iter() {
            gaussians.add(&reduction.apply(&tile.vectors));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let (mean, whitening) = gaussians.finish(options.shrinkage);
    Ok(Some(Model { reduction, mean, whitening }))
}
