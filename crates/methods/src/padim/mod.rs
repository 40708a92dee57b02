//! PaDiM (Defard et al.: *PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization*, 2021):
//! at each position a Gaussian of what a backbone sees there on good parts; a position is as anomalous as it is improbable.
//! For parts that always lie the same way. Fitted in seconds.
//!
//! See this folder's README for what is ours and what it gains.

mod cells;
mod fit;
mod gaussian;
mod graph;
mod model;
mod reduction;

pub use cells::Cells;
pub use fit::{Options, PadimError, fit};
pub use gaussian::Gaussians;
pub use graph::{DISTANCES, build};
pub use model::Model;
pub use reduction::{Reduction, reduce};

/// The method's name on the command line and in bundles.
pub const NAME: &str = "padim";
