//! Starting this project's own programs in tests, also where an emulator runs them.

use std::ffi::OsStr;
use std::process::Command;

/// Names the emulator that runs programs for another processor; the system may not know it by itself.
const EMULATOR: &str = "NOMINAL_EMULATOR";

/// A command that runs a program for the processor of this one.
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
