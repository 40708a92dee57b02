//! `trainer`: see `trainer --help`.

use std::process::ExitCode;

use trainer::commands::Cli;

fn main() -> ExitCode {
    match Cli::of_words(std::env::args_os().collect()).and_then(Cli::run) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {}", in_one_line(&e));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes; a cause that a sentence already names isn't said twice.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}
