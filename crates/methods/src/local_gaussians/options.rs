//! The options of local Gaussians.

use serde::{Deserialize, Serialize};

/// Local Gaussians, with their options.
#[derive(Debug, Clone, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct LocalGaussians {
    /// dimensions that the features are reduced to
    #[arg(long, value_name = "D", default_value_t = Self::DIMENSIONS, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub dimensions: u16,
    /// how far a part may shift, in positions of 8 pixels: each position is compared with its neighbours up to this far
    #[arg(long, value_name = "POSITIONS", default_value_t = Self::REACH, value_parser = clap::value_parser!(u16).range(0..=3))]
    pub reach: u16,
    /// number of images above which a position's own covariance counts more than that of all positions
    #[arg(long, value_name = "IMAGES", default_value_t = Self::TRUSTED, value_parser = clap::value_parser!(u16))]
    pub trusted: u16,
}

impl LocalGaussians {
    const DIMENSIONS: u16 = 128;
    const REACH: u16 = 1;
    const TRUSTED: u16 = 20;
}

impl Default for LocalGaussians {
    fn default() -> Self {
        Self { dimensions: Self::DIMENSIONS, reach: Self::REACH, trusted: Self::TRUSTED }
    }
}
