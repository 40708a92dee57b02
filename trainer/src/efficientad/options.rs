//! EfficientAD's own options.

use std::path::PathBuf;

use clap::{ArgMatches, FromArgMatches as _};
use methods::smoothing::{SMOOTHING, SMOOTHING_HELP, check_use, smoothing};
use serde::{Deserialize, Serialize};

use super::layout::EfficientAdLayout;
use crate::method::TrainError;
use crate::natural::{NaturalError, count_natural_photos};
use crate::schedule::{SCHEDULE_HELP, Schedule};

/// The options as given on the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// folder of natural photos, on which the student learns not to imitate the teacher
    #[arg(long, value_name = "FOLDER")]
    natural: Option<PathBuf>,
    #[arg(long, value_enum, hide_possible_values = true, help = SCHEDULE_HELP)]
    schedule: Option<Schedule>,
    #[arg(long, value_name = "POSITIONS", default_value_t = SMOOTHING, value_parser = smoothing, help = SMOOTHING_HELP)]
    smoothing: f64,
    /// use the paper's own map and score instead of the common ones
    #[arg(long)]
    paper_score: bool,
}

/// The options as recorded in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Natural photos, on which the student must not learn to imitate the teacher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub natural: Option<NaturalPhotos>,
    /// How fast the networks learn.
    pub schedule: Schedule,
    /// Standard deviation of the Gaussian that smooths the map of a student on a backbone, in positions of the features'
    /// grid.
    pub smoothing: f64,
    /// Whether to use the paper's own map and score instead of the common ones.
    pub paper_score: bool,
}

/// Natural photos beside the images of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NaturalPhotos {
    /// Their folder, absolute.
    pub folder: PathBuf,
    /// Number of photos at the start.
    pub count: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { natural: None, schedule: Schedule::default(), smoothing: SMOOTHING, paper_score: false }
    }
}

impl Options {
    /// Reads the options from the command line and counts the photos; warns if none are given.
    ///
    /// # Errors
    /// If the folder holds no photos.
    pub fn of(given: &ArgMatches, layout: EfficientAdLayout) -> Result<Self, TrainError> {
        let arguments = Arguments::from_arg_matches(given).map_err(|e| TrainError::Unfit(e.to_string()))?;
        let natural = arguments.natural.map(count).transpose()?;
        if natural.is_none() {
            eprintln!(
                "warning: without --natural photos the student may learn to imitate its teacher on defects, too, \
                 and then miss these defects; give a folder of photos of anything but the parts"
            );
        }
        let unless_given = match layout {
            EfficientAdLayout::Trunk { .. } => Schedule::Short,
            EfficientAdLayout::Patches(_) => Schedule::Published,
        };
        let schedule = arguments.schedule.unwrap_or(unless_given);
        let Arguments { smoothing, paper_score, .. } = arguments;
        check_use(smoothing, paper_score, "--paper-score")?;
        Ok(Self { natural, schedule, smoothing, paper_score })
    }
}

fn count(folder: PathBuf) -> Result<NaturalPhotos, NaturalError> {
    let count = count_natural_photos(&folder)?;
    let absolute = folder.canonicalize();
    let folder = absolute.map_err(|source| NaturalError::Folder { folder, source })?;
    Ok(NaturalPhotos { folder, count })
}
