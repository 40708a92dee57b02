//! Fits Gaussians to images of good parts.

use super::{Cells, GaussianSums};
use crate::features::{FeatureError, FeatureSet, Projection};
use crate::method::{FitError, ProgressCallback};

/// Which Gaussians to fit.
#[derive(Debug, Clone, Copy)]
pub struct GaussianFit {
    /// Positions, and which of them share a covariance.
    pub cells: Cells,
    /// Dimensions of the vectors.
    pub dimensions: usize,
    /// Whether covariances are full, or only their diagonals.
    pub full: bool,
    /// See [`GaussianSums::finish`].
    pub shrinkage: f64,
    /// See [`GaussianSums::finish`].
    pub trusted: Option<f64>,
}

/// Gaussians, as returned by [`GaussianSums::finish`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedGaussians {
    /// The mean of each position.
    pub mean: Vec<f32>,
    /// The whitening factors of each cell.
    pub whitening: Vec<f32>,
}

/// Why no Gaussians were fitted.
#[derive(Debug, thiserror::Error)]
pub enum GaussiansError {
    /// An image has no features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The model would be too large.
    #[error(
        "{cells} covariances of {dimensions} dimensions take {} MiB, more than the limit of {} MiB; use --dimensions {largest}, {or_else}",
        .bytes >> 20, .limit >> 20
    )]
    TooLarge {
        /// Dimensions asked for.
        dimensions: usize,
        /// Covariances.
        cells: usize,
        /// Bytes that they would take.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
        /// The most dimensions that fit.
        largest: usize,
        /// What else makes it smaller, in words.
        or_else: &'static str,
    },
    /// The photos don't differ.
    #[error(
        "all photos are the same, so how good parts differ can't be learned; give photos of different parts"
    )]
    NoVariance,
    /// The cells don't tile the features' grid.
    #[error(
        "a grid of {rows}×{columns} positions can't be cut into cells of {side}×{side}; use another --size, or smaller cells"
    )]
    Untiled {
        /// Rows of the features' grid.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Side of the cells asked for.
        side: usize,
    },
}

impl From<GaussiansError> for FitError {
    fn from(error: GaussiansError) -> Self {
        match error {
            GaussiansError::Features(error) => Self::Features(error),
            other => Self::Options(Box::new(other)),
        }
    }
}

impl GaussianFit {
    /// Refuses full covariances that take more than `limit` bytes, all of which are read to judge a frame. `or_else` says what
    /// else, besides fewer dimensions, makes them smaller.
    ///
    /// # Errors
    /// Names the most dimensions that fit.
    pub fn check_size(&self, limit: usize, or_else: &'static str) -> Result<(), GaussiansError> {
        let (cells, dimensions) = (self.cells.count(), self.dimensions);
        let bytes = 4 * cells * dimensions * dimensions;
        if self.full && bytes > limit {
            let largest = (limit / (4 * cells)).isqrt();
            return Err(GaussiansError::TooLarge { dimensions, cells, bytes, limit, largest, or_else });
        }
        Ok(())
    }

    /// Fits Gaussians to the projected features of the images at `indices`; `None` if `progress` returns `false`.
    ///
    /// # Errors
    /// If an image has no features, or the images don't differ.
    pub fn run(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        projection: &Projection,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<FittedGaussians>, GaussiansError> {
        let mut gaussians = GaussianSums::new(self.cells, self.dimensions, self.full);
        for &index in indices {
            for sample in set.of(index)?.iter() {
                gaussians.add(&projection.apply(&sample.vectors));
            }
            if !progress() {
                return Ok(None);
            }
        }
        let (mean, whitening) = gaussians.finish(self.shrinkage, self.trusted);
        if whitening.iter().any(|factor| !factor.is_finite()) {
            return Err(GaussiansError::NoVariance);
        }
        Ok(Some(FittedGaussians { mean, whitening }))
    }
}
