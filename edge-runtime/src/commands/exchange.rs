//! `exchange`: swaps two bundle folders in one step.
//!
//! Installing a bundle on a board needs this: between two renames a starting line finds no bundle, and a power cut there
//! makes that permanent. The `mv` on boards can't exchange yet (coreutils 9.5 can).

use std::path::PathBuf;

use anyhow::{Context, Result};
use bundle::atomic::replace_folder;

use crate::commands::outcome::CommandOutcome;

/// Arguments of `exchange`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The complete folder of the new bundle, on the same file system as PLACE. Afterwards it holds the old bundle.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// The bundle folder that the line file names.
    #[arg(value_name = "PLACE")]
    place: PathBuf,
}

/// Exchanges the two folders, or moves the first if the second doesn't exist.
///
/// # Errors
/// If the file system refuses; nothing has been moved then.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    replace_folder(&args.new, &args.place)
        .with_context(|| format!("cannot exchange {} with {}", args.new.display(), args.place.display()))?;
    Ok(CommandOutcome::Success)
}
