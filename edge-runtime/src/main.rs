//! The command line of the program on the device.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use edge_runtime::commands;
use edge_runtime::commands::outcome::Outcome;
use edge_runtime::log::{self, panics};

/// Judges parts on a line, or frames in files, with a bundle from the Nominal trainer.
///
/// Exit codes: 0 all frames pass, 10 at least one reject, 11 at least one fault, 1 error, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge image files.
    Inspect(commands::inspect::Args),
    /// Measure how long each stage takes on this machine.
    Bench(commands::bench::Args),
    /// Run a line: capture, judge, drive the reject gate.
    Run(commands::run::Args),
    /// Write a commented line file.
    Init(commands::init::Args),
    /// Check a line file, its bundles and its devices.
    Check(commands::check::Args),
    /// Find a product's threshold anew, from good parts.
    Calibrate(commands::calibrate::Args),
    /// Take training photos of good parts with a line's own camera and trigger.
    Collect(commands::collect::Args),
    /// Make a bundle from good parts alone, here on the device: fitted in seconds.
    Teach(commands::teach::Args),
    /// Check this machine, and whether a bundle does here what it did where it was made.
    Doctor(commands::doctor::Args),
}

fn main() -> ExitCode {
    // Before any thread starts: the standard library's hook would wait for whoever reads standard error.
    panics::install();
    let command = Cli::parse().command;
    let result = panics::caught(|| carry_out(command));
    match result.unwrap_or_else(|panic| Err(anyhow::anyhow!("the program failed: {panic}; report this"))) {
        Ok(outcome) => outcome.into(),
        // Whoever read the output has gone, with `| head` for example: nobody is left to tell.
        Err(e) if is_broken_pipe(&e) => Outcome::Error.into(),
        Err(e) => {
            // A line that failed must end, and be started again, even if nobody reads why.
            log::say(&format!("error: {e:#}"));
            Outcome::Error.into()
        }
    }
}

fn carry_out(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Calibrate(args) => commands::calibrate::run(&args),
        Command::Collect(args) => commands::collect::run(&args),
        Command::Teach(args) => commands::teach::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
