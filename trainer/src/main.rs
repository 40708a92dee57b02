//! `trainer`: see `trainer --help`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = trainer::commands::Cli::parse();
    trainer::progress::catch_interrupts();
    match cli.run() {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
