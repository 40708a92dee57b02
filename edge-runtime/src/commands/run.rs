//! `run`: runs a line.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};

use crate::health::log;
use crate::line_file::LineFile;
use crate::outcome::Outcome;
use crate::run::Line;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file.
    #[arg(value_name = "FILE")]
    line: PathBuf,
    /// More in the log.
    #[arg(long)]
    verbose: bool,
}

/// Runs the line until it is told to end by SIGTERM or SIGINT, or its camera has no more frames.
///
/// # Errors
/// Where the line can't be started, or a part of it ended by itself. The outputs are in their safe state then.
pub fn run(args: &Args) -> Result<Outcome> {
    // Writes what waits when it is dropped.
    let _log = log::set_up(args.verbose)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen to signals")?;
    }
    let line = LineFile::load(&args.line)?;
    let counts = Line::start(&line)?.supervise(&stop)?;
    tracing::info!(
        "the line has ended: {} parts, {} passed, {} rejected",
        counts.triggered,
        counts.passed,
        counts.rejected
    );
    Ok(Outcome::Fine)
}
