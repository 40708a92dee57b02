//! Command line of the fleet's program.
#![deny(clippy::indexing_slicing)]

use std::process::ExitCode;

use clap::Parser;
use nominal_fleet::commands::{ABOUT, Command, EXIT_CODES};

#[derive(Debug, Parser)]
#[command(version, about = ABOUT, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
