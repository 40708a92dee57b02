//! Images of good parts → local Gaussians.

use super::model::Model;
use super::options::LocalGaussians;
use super::windows::SIDE;
use crate::features::{FeatureError, FeatureSet};
use crate::gaussians::{Cells, Gaussians};
use crate::method::{FitError, Progress};

/// Share of a covariance's mean variance that steadies it.
const SHRINKAGE: f64 = 0.01;
/// Largest model whose covariances are written; a frame's verdict reads all of it.
const MAX_BYTES: usize = 128 << 20;

/// Why no Gaussians were fitted.
#[derive(Debug, thiserror::Error)]
pub enum LocalGaussiansError {
    /// The features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The model would be too large.
    #[error(
        "{cells} covariances of {dimensions} dimensions take {} MiB, more than {} MiB; take --dimensions {largest}, or fewer \
         --pixels",
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
    /// Nothing differs between the photos.
    #[error(
        "the photos all show the same picture, which doesn't tell how good parts differ; give photos of different parts"
    )]
    NoVariance,
    /// The cells don't tile the features' grid.
    #[error(
        "a grid of {rows}×{columns} positions can't be cut into cells of {SIDE}×{SIDE}; take an input size in multiples of 32"
    )]
    Untiled {
        /// Rows of the features' grid.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
}

impl From<LocalGaussiansError> for FitError {
    fn from(error: LocalGaussiansError) -> Self {
        match error {
            LocalGaussiansError::Features(error) => Self::Features(error),
            other => Self::Options(Box::new(other)),
        }
    }
}

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &LocalGaussians,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: Progress<'_>,
) -> Result<Option<Model>, LocalGaussiansError> {
    let [channels, rows, columns] = set.shape();
    let cells = Cells::new(rows, columns, SIDE).ok_or(LocalGaussiansError::Untiled { rows, columns })?;
    let dimensions = usize::from(options.dimensions).min(channels);
    let bytes = 4 * cells.count() * dimensions * dimensions;
    if bytes > MAX_BYTES {
        let cells = cells.count();
        let largest = (MAX_BYTES / (4 * cells)).isqrt();
        return Err(LocalGaussiansError::TooLarge { dimensions, cells, bytes, largest });
    }
    let projection = set.projection(indices, dimensions, seed)?;
    let mut gaussians = Gaussians::new(cells, dimensions, true);
    for &index in indices {
        for sample in set.of(index)?.iter() {
            gaussians.add(&projection.apply(&sample.vectors));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let (mean, whitening) = gaussians.finish(SHRINKAGE, Some(options.trusted.into()));
    if whitening.iter().any(|factor| !factor.is_finite()) {
        return Err(LocalGaussiansError::NoVariance);
    }
    Ok(Some(Model { projection, grid: [rows, columns], mean, whitening, reach: options.reach.into() }))
}
