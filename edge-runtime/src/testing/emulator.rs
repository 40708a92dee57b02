//! Starts this project's own programs in tests, under an emulator if necessary.

use std::ffi::OsStr;
use std::process::Command;

/// The variable that names the emulator for another processor's programs; the system may not be configured to use it.
const EMULATOR: &str = "NOMINAL_EMULATOR";

/// Returns a command that runs a program built for the same processor as this one.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    match std::env::var_os(EMULATOR) {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}
