//! Command line of the capture process for GigE Vision and USB3 Vision cameras.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use capture_aravis::{Library, serve};
use clap::Parser;

/// Holds a GigE Vision or USB3 Vision camera for a line, through Aravis.
///
/// Exit codes: 0 success, 1 error, 2 usage error.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
struct Cli {
    /// Listen here for lines, one after the other. Each names the camera that it wants.
    #[arg(long, value_name = "PATH", group = "what")]
    socket: Option<PathBuf>,
    /// Print the cameras that are connected, and end.
    #[arg(long, group = "what")]
    list: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let library = Library::load()?;
    match &cli.socket {
        Some(path) => listen(&library, path),
        None => list(&library),
    }
}

fn list(library: &Library) -> Result<()> {
    let found = library.cameras();
    let mut out = std::io::stdout().lock();
    for camera in &found {
        writeln!(out, "{}  {}  {}", camera.id, camera.address, camera.protocol)?;
    }
    if found.is_empty() {
        eprintln!(
            "no camera answers; check its power, its cable, and that its address is in this machine's network"
        );
    }
    Ok(())
}

fn listen(library: &Library, path: &Path) -> Result<()> {
    let listener = frame_channel::listen(path).with_context(|| {
        format!("cannot listen at {}; check the folder and its permissions", path.display())
    })?;
    tracing::info!("waiting for lines at {}", path.display());
    loop {
        let line = frame_channel::wait_for_peer(&listener).context("cannot wait for lines")?;
        match serve(library, line) {
            Ok(()) => tracing::info!("the line has gone"),
            Err(e) => tracing::warn!("a line was not served: {e}"),
        }
    }
}
