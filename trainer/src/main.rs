//! `trainer`: see `trainer --help`.

use std::process::ExitCode;

use trainer::commands::Cli;

fn main() -> ExitCode {
    match Cli::parse_args(std::env::args_os().collect()).and_then(Cli::run) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {}", in_one_line(&e));
            ExitCode::FAILURE
        }
    }
}

/// Joins the error and its causes; a cause whose text is already included isn't repeated.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}
