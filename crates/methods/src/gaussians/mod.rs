//! Gaussians of a backbone's features at each position of a grid, shared by several methods.

mod cells;
mod fit;
mod sums;

pub use cells::Cells;
pub use fit::{FittedGaussians, GaussianFit, GaussiansError};
pub use sums::GaussianSums;
