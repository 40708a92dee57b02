//! Runs this program again as a child, so that a failure stays isolated.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Returns a command that runs this program.
///
/// # Errors
/// If the program's own file can't be found.
pub fn program() -> anyhow::Result<Command> {
    let own =
        std::env::current_exe().context("this program's own file can't be found; start it by its path")?;
    Ok(Command::new(own))
}

/// Runs the command to its end.
///
/// # Errors
/// If it can't be started; if it fails, the last line that it wrote.
pub fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().context("this program can't be run again")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    bail!("{}", last.trim_start_matches("error: "))
}
