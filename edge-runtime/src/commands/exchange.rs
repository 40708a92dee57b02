//! `exchange`: puts a bundle in another's place in one step.
//!
//! Whoever installs a bundle on a board needs it: between two renames a line that starts finds no bundle, and a power cut
//! leaves it so. Boards' `mv` can't exchange yet (coreutils 9.5 can).

use std::path::PathBuf;

use anyhow::{Context, Result};
use bundle::atomic::replace_folder;

use crate::commands::outcome::Outcome;

/// What goes where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The complete folder of the new bundle, on the file system of PLACE. What lies at PLACE now lies here afterwards.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// The folder that the line file names.
    #[arg(value_name = "PLACE")]
    place: PathBuf,
}

/// Exchanges the two, or moves the first where there is no second.
///
/// # Errors
/// Where the file system refuses; nothing has moved then.
pub fn run(args: &Args) -> Result<Outcome> {
    replace_folder(&args.new, &args.place).with_context(|| {
        format!("can't put {} in the place of {}", args.new.display(), args.place.display())
    })?;
    Ok(Outcome::Fine)
}
