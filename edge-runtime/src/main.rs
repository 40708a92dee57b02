//! Command line of the program that runs on the device.
#![deny(clippy::indexing_slicing)]

use std::process::ExitCode;

use clap::Parser;
use edge_runtime::commands::outcome::CommandOutcome;
use edge_runtime::commands::{ABOUT, Command, EXIT_CODES};
use edge_runtime::log::{self, panics};

#[derive(Debug, Parser)]
#[command(version, about = ABOUT, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // Before any thread starts: the standard library's panic hook blocks if the reader of standard error is stuck.
    panics::install();
    let command = Cli::parse().command;
    let result = panics::catch(|| command.run());
    match result.unwrap_or_else(|panic| Err(anyhow::anyhow!("the program failed: {panic}; report this"))) {
        Ok(outcome) => outcome.into(),
        // The reader of the output has closed the pipe, as `| head` does: there is no one left to tell.
        Err(e) if is_broken_pipe(&e) => CommandOutcome::Error.into(),
        Err(e) => {
            // A line that failed must exit, so that it is restarted, even if the reason can't be written anywhere.
            log::print_last_line(&format!("error: {e:#}"));
            CommandOutcome::Error.into()
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
