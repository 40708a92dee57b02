//! STPM's own options.

use clap::{ArgMatches, FromArgMatches as _};
use serde::{Deserialize, Serialize};

use crate::method::TrainError;
use crate::schedule::{SCHEDULE_HELP, Schedule};

/// As the command line gives them, and as a run records them.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whose lengths and rates; ours unless given.
    #[arg(long, value_enum, hide_possible_values = true, help = SCHEDULE_HELP)]
    pub schedule: Option<Schedule>,
    /// the paper's own map and score, instead of those of all methods
    #[arg(long)]
    pub paper_score: bool,
}

impl Options {
    /// From the command line.
    ///
    /// # Errors
    /// If it has no such options.
    pub fn of(given: &ArgMatches) -> Result<Self, TrainError> {
        Self::from_arg_matches(given).map_err(|e| TrainError::Unfit(e.to_string()))
    }

    /// Whether the paper's schedule is followed.
    #[must_use]
    pub fn follows_the_paper(&self) -> bool {
        self.schedule == Some(Schedule::Published)
    }
}
