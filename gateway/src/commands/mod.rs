//! The program's commands, one file each.

mod check;
mod init;
mod run;

use std::path::PathBuf;

use anyhow::{Context, Result};

/// The commands of the program.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write a commented gateway file.
    Init {
        /// The file to write.
        #[arg(default_value = "gateway.toml", value_name = "FILE")]
        file: PathBuf,
    },
    /// Check a gateway file, the line's socket and each neighbour.
    Check {
        /// The gateway file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Check only the file; line and neighbours need not be there yet.
        #[arg(long)]
        file_only: bool,
    },
    /// Connect the line and its neighbours.
    Run {
        /// The gateway file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Log more.
        #[arg(long)]
        verbose: bool,
    },
}

impl Command {
    /// Runs the command. Returns whether all checks passed.
    ///
    /// # Errors
    /// The command's errors.
    pub fn run(self) -> Result<bool> {
        match self {
            Self::Init { file } => init::run(&file).map(|()| true),
            Self::Check { file, file_only } => check::run(&file, file_only),
            Self::Run { file, verbose } => run::run(&file, verbose).map(|()| true),
        }
    }
}

/// Everything runs on one thread: a gateway has little to compute, and so it takes at most one processor from the line.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // The only blocking calls are look-ups of host names.
        .max_blocking_threads(2)
        .build()
        .context("cannot start; raise the limits on open files and threads")
}
