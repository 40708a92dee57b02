//! `run`: runs a line.

use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::commands::outcome::CommandOutcome;
use crate::line_file::LineFile;
use crate::log;
use crate::run::RunningLine;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file.
    #[arg(value_name = "FILE")]
    line: PathBuf,
    /// Run bundles with lower serial numbers than before, and refuse only those that are lower than these from now on.
    #[arg(long)]
    allow_downgrade: bool,
    /// Log more.
    #[arg(long)]
    verbose: bool,
}

/// Runs the line until SIGTERM, SIGINT, SIGQUIT or SIGHUP (as when its terminal closes) tells it to end, or its camera has
/// no more frames.
///
/// # Errors
/// If the line can't be started, or one of its threads ended unexpectedly. The outputs are then in their safe state.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    // Flushes pending log lines when dropped.
    let _log = log::set_up(args.verbose)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGHUP] {
        // Under `nohup`, the line must outlive the terminal.
        if signal == SIGHUP && is_ignored(SIGHUP) {
            continue;
        }
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .context("cannot install the signal handlers")?;
    }
    let mut line = LineFile::load(&args.line)?;
    line.signing.allow_downgrade |= args.allow_downgrade;
    let counts = RunningLine::start(&line)?.supervise(&stop)?;
    tracing::info!(
        "the line has ended: {} parts, {} passed, {} rejected",
        counts.triggered,
        counts.passed,
        counts.rejected
    );
    Ok(CommandOutcome::Success)
}

/// Whether the signal was ignored when this program was started.
fn is_ignored(signal: c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, signal)
}

fn ignores(status: &str, signal: c_int) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    // The lowest bit belongs to signal 1.
    signal
        .checked_sub(1)
        .and_then(|bit| mask.checked_shr(bit.cast_unsigned()))
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_mask_says_which_signals_are_ignored() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\tffffffffffffffff\n";
        assert!(ignores(status, SIGHUP) && ignores(status, signal_hook::consts::SIGPIPE));
        assert!(!ignores(status, SIGTERM) && !ignores(status, 0) && !ignores("", SIGHUP));
        // The Rust runtime ignores SIGPIPE in every program: a reader that goes away doesn't end it.
        assert!(is_ignored(signal_hook::consts::SIGPIPE));
    }
}
