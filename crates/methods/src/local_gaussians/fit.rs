//! Fits local Gaussians to images of good parts.

use super::model::Model;
use super::options::LocalGaussians;
use crate::features::FeatureSet;
use crate::gaussians::{Cells, FittedGaussians, GaussianFit, GaussiansError};
use crate::method::ProgressCallback;

/// Share of a covariance's mean variance added to its diagonal for stability.
const SHRINKAGE: f64 = 0.01;
/// Maximum size of a model's covariances.
const MAX_BYTES: usize = 128 << 20;
/// Sides of the cells of positions that share a covariance: the first that keeps to [`MAX_BYTES`]. An input's sides are multiples of 32
/// pixels, so all of them tile the grid.
pub(super) const CELLS: [usize; 2] = [2, 4];

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &LocalGaussians,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, GaussiansError> {
    let [channels, rows, columns] = set.shape();
    let with = |cell: usize| -> Result<GaussianFit, GaussiansError> {
        let fit = GaussianFit {
            cells: Cells::new(rows, columns, cell)?,
            dimensions: usize::from(options.dimensions).min(channels),
            full: true,
            shrinkage: SHRINKAGE,
            trusted: Some(options.trusted.into()),
        };
        fit.check_size(MAX_BYTES, "or fewer --pixels or --tiles")?;
        Ok(fit)
    };
    // Before the projection, which is slow.
    let [small, large] = CELLS;
    let (cell, fit) = match with(small) {
        Ok(fit) => (small, fit),
        Err(_) => (large, with(large)?),
    };
    let projection = set.projection(indices, fit.dimensions, seed)?;
    let fitted = fit.run(set, indices, &projection, progress)?;
    Ok(fitted.map(|FittedGaussians { mean, whitening }| Model {
        projection,
        grid: [rows, columns],
        mean,
        cell,
        whitening,
        reach: options.reach.into(),
    }))
}
