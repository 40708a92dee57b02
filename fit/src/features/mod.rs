//! What a backbone sees at each position of a frame: the input of the methods that need no training.
//!
//! Features are computed by the judge's engine from the very nodes that the exported model will hold, so what is learned
//! from is what will be judged.

mod extract;
mod graph;
mod projection;
mod set;
mod strangers;

pub use extract::{Extractor, FeatureError, Features};
pub use graph::{Levels, add_features, positions};
pub(crate) use projection::dot;
pub use projection::{Moments, Projection};
pub use set::FeatureSet;
pub use strangers::{Likeness, likeness};
