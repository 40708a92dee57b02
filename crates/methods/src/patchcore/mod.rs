//! PatchCore (Roth et al.: *Towards Total Recall in Industrial Anomaly Detection*, CVPR 2022): a bank of what normal
//! positions look like to a backbone; a position is as anomalous as it is far from the nearest entry. Fitted in seconds.
//!
#![doc = include_str!("README.md")]

mod bank_size;
mod coreset;
mod fit;
mod graph;
mod model;
mod options;
mod places;
mod search_time;

pub use bank_size::{BankSize, BankSizeError};
pub use coreset::{Coreset, Rule};
pub use graph::{DISTANCES, build};
pub use model::{Model, Places, Score};
pub use options::PatchCore;
