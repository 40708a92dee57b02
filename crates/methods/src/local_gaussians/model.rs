//! What local Gaussians have learned.

use crate::features::Projection;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Features → dimensions.
    pub projection: Projection,
    /// Rows and columns of the features' grid.
    pub grid: [usize; 2],
    /// Positions × dimensions.
    pub mean: Vec<f32>,
    /// Cells × dimensions × dimensions; see [`crate::gaussians::Gaussians::finish`].
    pub whitening: Vec<f32>,
    /// A place is compared with its neighbours up to this many positions away.
    pub reach: usize,
}
