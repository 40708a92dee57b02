//! Fits local Gaussians to images of good parts.

use super::model::Model;
use super::options::LocalGaussians;
use super::windows::SIDE;
use crate::features::FeatureSet;
use crate::gaussians::{Cells, FittedGaussians, GaussianFit, GaussiansError};
use crate::method::ProgressCallback;

/// Share of a covariance's mean variance added to its diagonal for stability.
const SHRINKAGE: f64 = 0.01;
/// Maximum size of a model's covariances.
const MAX_BYTES: usize = 128 << 20;

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &LocalGaussians,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, GaussiansError> {
    let [channels, rows, columns] = set.shape();
    let fit = GaussianFit {
        cells: Cells::new(rows, columns, SIDE)?,
        dimensions: usize::from(options.dimensions).min(channels),
        full: true,
        shrinkage: SHRINKAGE,
        trusted: Some(options.trusted.into()),
    };
    // Before the projection, which is slow.
    fit.check_size(MAX_BYTES, "or fewer --pixels")?;
    let projection = set.projection(indices, fit.dimensions, seed)?;
    let fitted = fit.run(set, indices, &projection, progress)?;
    Ok(fitted.map(|FittedGaussians { mean, whitening }| Model {
        projection,
        grid: [rows, columns],
        mean,
        whitening,
        reach: options.reach.into(),
    }))
}
