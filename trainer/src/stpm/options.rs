//! STPM's own options.

use clap::{ArgMatches, FromArgMatches as _};
use serde::{Deserialize, Serialize};

use crate::method::TrainError;
use crate::schedule::{SCHEDULE_HELP, Schedule};

/// The options, as given on the command line and as recorded in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The schedule; ours by default.
    #[arg(long, value_enum, hide_possible_values = true, help = SCHEDULE_HELP)]
    pub schedule: Option<Schedule>,
    /// use the paper's own map and score instead of the common ones
    #[arg(long)]
    pub paper_score: bool,
}

impl Options {
    /// Reads the options from the command line.
    ///
    /// # Errors
    /// If the command line lacks these options.
    pub fn of(given: &ArgMatches) -> Result<Self, TrainError> {
        Self::from_arg_matches(given).map_err(|e| TrainError::Unfit(e.to_string()))
    }

    /// Returns whether the paper's schedule is followed.
    #[must_use]
    pub fn follows_the_paper(&self) -> bool {
        self.schedule == Some(Schedule::Published)
    }
}
