//! Images of good parts → Gaussians.

use super::model::Model;
use super::options::{Covariance, Padim};
use super::reduction::reduce;
use crate::features::{FeatureError, FeatureSet};
use crate::gaussians::{Cells, Gaussians};
use crate::method::{FitError, Progress};

/// Largest model whose covariances are written; a frame's verdict reads all of it.
const MAX_BYTES: usize = 64 << 20;

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
    /// Nothing differs between the photos.
    #[error(
        "the photos all show the same picture, which doesn't tell how good parts differ; give photos of different parts"
    )]
    NoVariance,
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

impl From<PadimError> for FitError {
    fn from(error: PadimError) -> Self {
        match error {
            PadimError::Features(error) => Self::Features(error),
            other => Self::Options(Box::new(other)),
        }
    }
}

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &Padim,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: Progress<'_>,
) -> Result<Option<Model>, PadimError> {
    let [channels, rows, columns] = set.shape();
    let cell = usize::from(options.cell);
    let cells = Cells::new(rows, columns, cell).ok_or(PadimError::Untiled { rows, columns, cell })?;
    let reduction = reduce(options.reduction, channels, options.dimensions.into(), seed);
    let dimensions = reduction.outputs;
    let full = options.covariance == Covariance::Full;
    let bytes = 4 * cells.count() * dimensions * dimensions;
    if full && bytes > MAX_BYTES {
        let cells = cells.count();
        let largest = (MAX_BYTES / (4 * cells)).isqrt();
        return Err(PadimError::TooLarge { dimensions, cells, bytes, largest });
    }
    let mut gaussians = Gaussians::new(cells, dimensions, full);
    for &index in indices {
        for sample in set.of(index)?.iter() {
            gaussians.add(&reduction.apply(&sample.vectors));
        }
        if !progress() {
            return Ok(None);
        }
    }
    let (mean, whitening) = gaussians.finish(options.shrinkage, None);
    if whitening.iter().any(|factor| !factor.is_finite()) {
        return Err(PadimError::NoVariance);
    }
    Ok(Some(Model {
        reduction,
        mean,
        whitening,
        full,
        cell,
        worst: options.worst,
        smoothing: options.smoothing,
    }))
}
