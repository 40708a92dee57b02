//! The learned model of local Gaussians.

use crate::features::Projection;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Maps features to the Gaussians' dimensions.
    pub projection: Projection,
    /// Rows and columns of the features' grid.
    pub grid: [usize; 2],
    /// The means: positions × dimensions.
    pub mean: Vec<f32>,
    /// Side of the cells of positions that share a covariance.
    pub cell: usize,
    /// Cells × dimensions × dimensions; see [`crate::gaussians::GaussianSums::finish`].
    pub whitening: Vec<f32>,
    /// Each position is compared with its neighbours up to this many positions away.
    pub reach: usize,
}
