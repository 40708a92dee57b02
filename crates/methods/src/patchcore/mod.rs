//! PatchCore (Roth et al.: *Towards Total Recall in Industrial Anomaly Detection*, CVPR 2022): a bank of what normal
//! positions look like to a backbone; a position is as anomalous as it is far from the nearest entry. Fitted in seconds.
//!
//! See this folder's README for what is ours and what it gains.

mod bank_size;
mod coreset;
mod fit;
mod graph;
mod model;
mod places;
mod search_time;

pub use bank_size::BankSize;
pub use coreset::{Coreset, Rule};
pub use fit::{Options, fit};
pub use graph::{DISTANCES, build};
pub use model::{Model, Places, Score};

/// The method's name on the command line and in bundles.
pub const NAME: &str = "patchcore";
