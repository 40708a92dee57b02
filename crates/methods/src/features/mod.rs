//! What a backbone sees at each position of a frame: the input of the methods that need no training.
//!
//! Features are computed by the judge's engine from the nodes that the exported model will hold; that only projects them level
//! by level, which is the same but for rounding.

mod extract;
mod flip;
mod graph;
mod projection;
mod sample;
mod set;
mod strangers;

pub use extract::{Extractor, FeatureError, Features};
pub use flip::{Flip, FlipError};
pub use graph::{Levels, add_features, add_features_of, add_projected_features, positions};
pub(crate) use projection::dot;
pub use projection::{Moments, Projection};
pub use set::FeatureSet;
pub use strangers::{Likeness, likeness};
