//! The flows' own options.

use clap::{ArgMatches, FromArgMatches as _};
use serde::{Deserialize, Serialize};

use crate::method::TrainError;

/// What a coupling block knows of a position beside half of its channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// The features around it: FastFlow
    #[default]
    Neighbours,
    /// Where it is: CFLOW-AD
    Position,
    /// Both
    Both,
}

/// The options, as given on the command line and as recorded in a run.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Options {
    /// what a coupling block knows beside half of a position's channels: neighbours, the features around it (FastFlow); position, where
    /// it is (CFLOW-AD); or both
    #[arg(long, value_enum, hide_possible_values = true, default_value = "neighbours")]
    pub context: Context,
    /// number of coupling blocks of each level
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub couplings: u8,
}

impl Options {
    /// Reads the options from the command line.
    ///
    /// # Errors
    /// If the command line lacks these options.
    pub fn of(given: &ArgMatches) -> Result<Self, TrainError> {
        Self::from_arg_matches(given).map_err(|e| TrainError::Unfit(e.to_string()))
    }
}
