//! Command line of the gateway.
#![deny(clippy::indexing_slicing)]

use std::process::ExitCode;

use clap::Parser;
use gateway::commands::Command;

/// Passes a line's results on to a PLC (Modbus TCP), MQTT, Prometheus, a webhook and browsers.
///
/// Exit codes: 0 success, 1 error or a failed check, 2 usage error.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
