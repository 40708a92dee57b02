//! The options of deep one-class classification.

use serde::{Deserialize, Serialize};

/// The options of `svdd`, which looks at patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct PatchOptions {
    /// number of normal embeddings that a position is compared with
    #[arg(long, value_name = "EMBEDDINGS", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(16..=10_000))]
    pub embeddings: u16,
}

/// The options of `svdd-image`: it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct ImageOptions {}
