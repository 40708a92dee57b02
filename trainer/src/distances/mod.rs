//! Distances between a picture or features and what was rebuilt of them, position by position: in libtorch, where their mean is a loss,
//! and in an exported model, where they are a map.
//!
//! | file | distance |
//! |---|---|
//! | `squared.rs` | mean square over the channels (L2) |
//! | `structure.rs` | structural dissimilarity (SSIM) |

mod squared;
mod structure;

pub use squared::{add_squared, squared};
pub use structure::{add_dissimilarity, dissimilarity};
