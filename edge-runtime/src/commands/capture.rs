//! `capture`: holds a camera for a line.

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::capture::process::serve;
use crate::commands::outcome::CommandOutcome;
use crate::log;

/// Arguments of `capture`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Listen here for lines, one after the other. Without it, the line that started this process is at its standard input.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Serves one line, or those that connect to the socket.
///
/// # Errors
/// If there is no line, or the socket can't be used.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    // Flushes pending log lines when dropped.
    let _log = log::set_up(false)?;
    let Some(path) = &args.socket else {
        // A line that is killed must not leave its camera occupied.
        set_parent_process_death_signal(Some(Signal::KILL)).context("cannot follow the line's end")?;
        let socket = std::io::stdin().as_fd().try_clone_to_owned().context("there is no standard input")?;
        serve(socket).context(
            "no line is at the standard input; give --socket, or set camera.source = \"process\" in the line file",
        )?;
        return Ok(CommandOutcome::Success);
    };
    let listener = frame_channel::listen(path).with_context(|| {
        format!("cannot listen at {}; check the folder and its permissions", path.display())
    })?;
    tracing::info!("waiting for lines at {}", path.display());
    loop {
        let line = frame_channel::wait_for_peer(&listener).context("cannot wait for lines")?;
        if let Err(e) = serve(line) {
            tracing::warn!("a line was not served: {e}");
        }
    }
}
