//! The learned PaDiM model.

use crate::features::Projection;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Maps features to the Gaussians' dimensions.
    pub reduction: Projection,
    /// The means: positions × dimensions.
    pub mean: Vec<f32>,
    /// Cells × dimensions × dimensions for full covariances, cells × dimensions for diagonals; see
    /// [`crate::gaussians::GaussianSums::finish`].
    pub whitening: Vec<f32>,
    /// Whether covariances are full.
    pub full: bool,
    /// Side of a cell, in positions.
    pub cell: usize,
    /// The score is the mean of this worst share of the smoothed distances, in percent, with 0 for the largest; if `None`,
    /// it comes from [`crate::image_score`].
    pub worst: Option<f64>,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}
