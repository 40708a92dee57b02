//! The options of PaDiM.

use serde::{Deserialize, Serialize};

use super::reduction::Reduction;
use crate::smoothing::{SMOOTHING, SMOOTHING_HELP, smoothing};

/// PaDiM, with its options.
#[derive(Debug, Clone, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Padim {
    /// dimensions that the features are reduced to
    #[arg(long, value_name = "D", default_value_t = Self::DIMENSIONS, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub dimensions: u16,
    /// kind of covariances: full, or diagonal (smaller by a factor of the number of dimensions)
    #[arg(long, value_name = "KIND", value_enum, default_value = "full")]
    pub covariance: Covariance,
    /// how features are reduced: onto orthogonal directions or to random channels
    #[arg(long, value_name = "KIND", value_enum, default_value = "orthogonal")]
    pub reduction: Reduction,
    /// side of the squares of positions that share a covariance; each position keeps its own mean
    #[arg(long, value_name = "SIDE", default_value_t = Self::CELL, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub cell: u16,
    /// share of the mean variance in each covariance, which stabilises it if there are few images
    #[arg(long, value_name = "SHARE", default_value_t = Self::SHRINKAGE, value_parser = share)]
    pub shrinkage: f64,
    /// use the mean of the worst PERCENT % of the map as the image's score (0: its maximum), instead of the common score
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub worst: Option<f64>,
    /// Standard deviation of the Gaussian that smooths the distances, in positions of the features' grid.
    #[arg(long, value_name = "POSITIONS", default_value_t = SMOOTHING, value_parser = smoothing, help = SMOOTHING_HELP)]
    pub smoothing: f64,
}

/// Which covariances between dimensions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// All of them.
    Full,
    /// Only the variance of each dimension.
    Diagonal,
}

impl Padim {
    const DIMENSIONS: u16 = 128;
    const CELL: u16 = 2;
    const SHRINKAGE: f64 = 0.01;
}

impl Default for Padim {
    fn default() -> Self {
        Self {
            dimensions: Self::DIMENSIONS,
            covariance: Covariance::Full,
            reduction: Reduction::Orthogonal,
            cell: Self::CELL,
            shrinkage: Self::SHRINKAGE,
            worst: None,
            smoothing: SMOOTHING,
        }
    }
}

/// A share that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid share `{0}`: expected a number from 0 to less than 1")]
struct ShareError(String);

fn share(text: &str) -> Result<f64, ShareError> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| ShareError(text.to_owned()))
}

/// A percentage that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid share of a map `{0}`: expected a percentage from 0 to 100")]
pub(super) struct PercentError(String);

/// Parses a percentage, as written by users and in models' notes.
pub(super) fn percent(text: &str) -> Result<f64, PercentError> {
    let percent = text.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| PercentError(text.to_owned()))
}
