//! Gaussians of what a backbone sees at each position of a grid, which several methods share.

mod cells;
mod fit;
mod sums;

pub use cells::Cells;
pub use fit::{Fit, Fitted, GaussiansError};
pub use sums::Gaussians;
