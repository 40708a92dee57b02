//! What PaDiM has learned.

use crate::features::Projection;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Features → dimensions.
    pub reduction: Projection,
    /// Positions × dimensions.
    pub mean: Vec<f32>,
    /// Cells × dimensions × dimensions for full covariances, cells × dimensions for diagonals; see
    /// [`crate::gaussians::Gaussians::finish`].
    pub whitening: Vec<f32>,
    /// Whether covariances are full.
    pub full: bool,
    /// Side of a cell, in positions.
    pub cell: usize,
    /// The score is the mean of the worst share of the smoothed distances, in percent, 0 for the largest; if `None`, it is
    /// made by [`crate::image_score`].
    pub worst: Option<f64>,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}
