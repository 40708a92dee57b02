//! Fits Gaussians to images of good parts.

use super::model::Model;
use super::options::{Covariance, Padim};
use super::reduction::reduce;
use crate::features::FeatureSet;
use crate::gaussians::{Cells, FittedGaussians, GaussianFit, GaussiansError};
use crate::method::ProgressCallback;

/// Maximum size of a model's covariances.
const MAX_BYTES: usize = 64 << 20;

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &Padim,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, GaussiansError> {
    let [channels, rows, columns] = set.shape();
    let cell = usize::from(options.cell);
    let reduction = reduce(options.reduction, channels, options.dimensions.into(), seed);
    let full = options.covariance == Covariance::Full;
    let fit = GaussianFit {
        cells: Cells::new(rows, columns, cell)?,
        dimensions: reduction.outputs,
        full,
        shrinkage: options.shrinkage,
        trusted: None,
    };
    fit.check_size(MAX_BYTES, "--covariance diagonal, a larger --cell, or fewer --pixels")?;
    let fitted = fit.run(set, indices, &reduction, progress)?;
    Ok(fitted.map(|FittedGaussians { mean, whitening }| Model {
        reduction,
        mean,
        whitening,
        full,
        cell,
        worst: options.worst,
        smoothing: options.smoothing,
    }))
}
