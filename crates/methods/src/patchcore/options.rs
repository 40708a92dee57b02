//! The options of PatchCore.

use serde::{Deserialize, Serialize};

use super::bank_size::BankSize;
use super::model::Score;
use crate::smoothing::{SMOOTHING, SMOOTHING_HELP, smoothing};

/// PatchCore, with its options.
#[derive(Debug, Clone, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct PatchCore {
    /// dimensions that the features are reduced to
    #[arg(long, value_name = "D", default_value_t = Self::DIMENSIONS, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub dimensions: u16,
    /// size of the bank: a share of all positions such as 5%, or a budget such as 512KiB or 8ms of search per frame on this machine
    #[arg(long, value_name = "SIZE", default_value_t = Self::BANK)]
    pub bank: BankSize,
    /// number of nearest entries whose distances are averaged
    #[arg(long, value_name = "K", default_value_t = Self::NEIGHBOURS, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub neighbours: u16,
    /// use the method's own image score: worst (mean of the worst 5 % of the map), maximum, or reweighted (as in the paper)
    #[arg(long, value_name = "SCORE", value_enum, hide_possible_values = true)]
    pub score: Option<Score>,
    /// choose the bank by exact distances instead of distances in a random projection
    #[arg(long)]
    pub exact: bool,
    /// Standard deviation of the Gaussian that smooths the distances, in positions of the features' grid.
    #[arg(long, value_name = "POSITIONS", default_value_t = SMOOTHING, value_parser = smoothing, help = SMOOTHING_HELP)]
    pub smoothing: f64,
}

impl PatchCore {
    const DIMENSIONS: u16 = 128;
    const BANK: BankSize = BankSize::Kibibytes(512);
    const NEIGHBOURS: u16 = 1;
}

impl Default for PatchCore {
    fn default() -> Self {
        Self {
            dimensions: Self::DIMENSIONS,
            bank: Self::BANK,
            neighbours: Self::NEIGHBOURS,
            score: None,
            exact: false,
            smoothing: SMOOTHING,
        }
    }
}
