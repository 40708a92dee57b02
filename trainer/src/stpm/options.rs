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
    /// judge the student's residuals by how unlike those of good parts they are, not by their length
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub whiten_residuals: bool,
}

impl Options {
    /// Reads the options from the command line.
    ///
    /// # Errors
    /// If the command line lacks these options, or they contradict each other.
    pub fn of(given: &ArgMatches) -> Result<Self, TrainError> {
        let options = Self::from_arg_matches(given).map_err(|e| TrainError::Unfit(e.to_string()))?;
        if options.whiten_residuals && options.paper_score {
            return Err(TrainError::Unfit(
                "--whiten-residuals changes the common score; omit it, or omit --paper-score".to_owned(),
            ));
        }
        Ok(options)
    }

    /// Returns whether the paper's schedule is followed.
    #[must_use]
    pub fn follows_the_paper(&self) -> bool {
        self.schedule == Some(Schedule::Published)
    }
}
