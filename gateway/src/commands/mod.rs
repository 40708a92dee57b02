//! The program's commands, one file each.

mod check;
mod init;
mod password;
mod run;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand as _;

use crate::page::Role;

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
    /// Set a password of the page. It is asked for, or read from standard input.
    Password {
        /// Whose password.
        #[arg(value_enum)]
        role: Role,
        /// The gateway file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
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
    /// Print completions for a shell.
    Completions(manual::CompletionsArgs),
    /// Write this program's manual pages.
    Manual(manual::ManualArgs),
}

/// What the program does, for its help and its manual.
pub const ABOUT: &str =
    "Passes a line's results on to a PLC (Modbus TCP), MQTT, Prometheus, a webhook and browsers.";

/// The end of its help.
pub const EXIT_CODES: &str = "Exit codes: 0 success, 1 error or a failed check, 2 usage error.";

impl Command {
    /// Returns the program's command line, under the name that it is installed with.
    fn program() -> clap::Command {
        let program = clap::Command::new("nominal-gateway")
            .about(ABOUT)
            .version(env!("CARGO_PKG_VERSION"))
            .after_help(EXIT_CODES);
        Self::augment_subcommands(program)
    }

    /// Runs the command. Returns whether all checks passed.
    ///
    /// # Errors
    /// The command's errors.
    pub fn run(self) -> Result<bool> {
        match self {
            Self::Init { file } => init::run(&file).map(|()| true),
            Self::Check { file, file_only } => check::run(&file, file_only),
            Self::Password { role, file } => password::run(role, &file).map(|()| true),
            Self::Run { file, verbose } => run::run(&file, verbose).map(|()| true),
            Self::Completions(args) => {
                manual::completions(&args, Self::program(), &mut std::io::stdout())?;
                Ok(true)
            }
            Self::Manual(args) => {
                println!("{}", manual::manual(&args, Self::program())?);
                Ok(true)
            }
        }
    }
}

/// Everything runs on one thread: a gateway has little to compute, and so it takes at most one processor from the line.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // The only blocking calls are look-ups of host names, reading records, writing a fleet's bundle, and checking passwords,
        // one at a time.
        .max_blocking_threads(4)
        .build()
        .context("cannot start; raise the limits on open files and threads")
}
