//! Images of good parts → Gaussians.

use super::cells::Cells;
use super::gaussian::Gaussians;
use super::model::Model;
use super::reduction::{Reduction, reduce};
use crate::features::{FeatureError, FeatureSet};
use networks::resample::SMOOTHING;

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
    /// Sides of the cells whose positions share a covariance; 1: each position has its own.
    pub cell: usize,
    /// Share of the mean variance in each covariance, 0..1.
    pub shrinkage: f64,
    /// Smoothing of the distances for map and score: standard deviation of a Gaussian, in positions of the features' grid.
    pub smoothing: f64,
    /// Seeds the reduction.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dimensions: 128,
            reduction: Reduction::Orthogonal,
            full: true,
            cell: 2,
            shrinkage: 0.01,
            smoothing: SMOOTHING,
            seed: 0,
        }
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
        "{cells} full covariances of {dimensions} dimensions take {} MiB, more than {} MiB; take --dimensions {largest}, \
         --covariance diagonal, a larger --cell, or a smaller --size",
        .bytes >> 20, MAX_BYTES >> 20
    )]
    TooLarge {
        /// Dimensions asked for.
        dimensions: usize,
        /// Covariances.
        cells: usize,
        /// Bytes they would take.
        bytes: usize,
        /// The most dimensions that fit.
        largest: usize,
    },
    /// The cells don't tile the features' grid.
    #[error("{rows}×{columns} positions can't be put in cells of {cell}×{cell}; take --cell 1")]
    Untiled {
        /// Rows of the features' grid.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Side of the cells asked for.
        cell: usize,
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
    let cell = options.cell;
    let cells = Cells::new(rows, columns, cell).ok_or(PadimError::Untiled { rows, columns, cell })?;
    let reduction = reduce(options.reduction, channels, options.dimensions, options.seed);
    let dimensions = reduction.outputs;
    let bytes = 4 * cells.count() * dimensions * dimensions;
    if options.full && bytes > MAX_BYTES {
        let cells = cells.count();
        let largest = (MAX_BYTES / (4 * cells)).isqrt();
        return Err(PadimError::TooLarge { dimensions, cells, bytes, largest });
    }
    let mut gaussians = Gaussians::new(cells, dimensions, options.full);
    for &index in indices {
        for sample in set.of(index)?.iter() {
            gaussians.add(&reduction.apply(&sample.vectors));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let (mean, whitening) = gaussians.finish(options.shrinkage);
    Ok(Some(Model { reduction, mean, whitening, full: options.full, cell, smoothing: options.smoothing }))
}
