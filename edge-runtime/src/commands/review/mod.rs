//! `review`: lists records and takes decisions on them.
//!
//! | file | contents |
//! |---|---|
//! | `list` | lists records that match a filter |
//! | `show` | shows one record |
//! | `mark` | takes decisions |

mod list;
mod mark;
mod show;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::commands::outcome::CommandOutcome;
use crate::line_file::{LineFile, RecordsConfig};
use crate::review::Review;

/// The subcommands of `review`.
#[derive(Debug, clap::Subcommand)]
pub enum ReviewCommand {
    /// List records, oldest first.
    List(list::Args),
    /// Show one record: its score, its region, its files and what was decided.
    Show(show::Args),
    /// Decide on records: false-alarm, defect or unsure; undecided takes a decision back.
    Mark(mark::Args),
}

/// Where the records are.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The line file, whose records are reviewed.
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,
    /// The folder of records, without a line file.
    #[arg(long, value_name = "FOLDER")]
    records: Option<PathBuf>,
}

impl Source {
    fn open(&self) -> Result<Review> {
        match (&self.line, &self.records) {
            (Some(file), _) => of_line(&LineFile::load(file)?),
            (None, Some(folder)) => of_folder(folder.clone(), &RecordsConfig::default()),
            (None, None) => anyhow::bail!("give --line FILE or --records FOLDER"),
        }
    }
}

/// Opens the records of a line.
///
/// # Errors
/// If it keeps none, or their folder can't be read.
pub(super) fn of_line(line: &LineFile) -> Result<Review> {
    let folder = line.records.folder.clone().with_context(|| {
        format!("the line {} keeps no records; set records.folder in the line file", line.name)
    })?;
    of_folder(folder, &line.records)
}

fn of_folder(folder: PathBuf, config: &RecordsConfig) -> Result<Review> {
    Ok(Review::open(&folder, u64::from(config.max_decided_mib) << 20)?)
}

/// Runs the subcommand.
///
/// # Errors
/// If the line file or the records can't be read, or a record can't be shown. Records that can't be marked are named, and
/// the outcome is an error.
pub fn run(command: &ReviewCommand) -> Result<CommandOutcome> {
    match command {
        ReviewCommand::List(args) => list::run(args),
        ReviewCommand::Show(args) => show::run(args),
        ReviewCommand::Mark(args) => mark::run(args),
    }
}
