//! A backbone's features at each position of a frame: the input of the methods that need no training.
//!
//! Features are computed by the judge's engine from the same nodes as in the exported model. The model only projects them
//! level by level, which is equivalent up to rounding.

mod extract;
mod flip;
mod graph;
mod outliers;
mod projection;
mod sample;
mod set;
mod tile_grid;
mod whole;

pub use extract::{Extractor, FeatureError, Features, FrameCost};
pub use flip::{Flip, FlipError};
pub use graph::{FeatureLevels, Levels, add_features, add_features_of, positions};
pub use outliers::{OutlierReport, find_outliers};
pub use projection::{Moments, Projection};
pub(crate) use projection::{dot, squared_distance};
pub use set::FeatureSet;
pub use tile_grid::{TileGrid, add_by_position};
pub(crate) use whole::{
    ChannelStats, add_largest_vector, add_mean_vector, add_score_everywhere, largest_vector, mean_vector,
};
