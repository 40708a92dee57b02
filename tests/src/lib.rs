//! What the whole-system tests share: programs, private data, images made on the spot.
//!
//! `cargo xtask test` sets the variables that name private data. A test that lacks its data says so on standard error
//! and returns; nothing is skipped silently.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this crate is test support")]

pub mod images;
#[path = "../../crates/networks/tests/support/mod.rs"]
pub mod teachers;
pub mod workshop;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder that an environment variable names, or `None` with a line on standard error that says what is skipped.
#[must_use]
pub fn private(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        skipped(&format!(
            "{what} ({variable} is not set; `cargo xtask test` sets it where the data is there)"
        ));
    }
    path
}

/// Says that a test, or a part of one, can't run here.
pub fn skipped(what: &str) {
    // Straight to the file: the test harness captures what the print macros write.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// One of this workspace's programs, which `cargo test --workspace` builds before any test runs.
///
/// # Panics
/// Where it isn't there.
#[must_use]
pub fn program(name: &str) -> Command {
    let here = std::env::current_exe().unwrap();
    let path = here.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is not built; run `cargo test --workspace`", path.display());
    Command::new(path)
}

/// Runs a command and returns exit code, standard output and standard error.
///
/// # Panics
/// Where it can't be started.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs a command that must succeed and returns its standard output.
///
/// # Panics
/// Where it fails, with what it said.
pub fn succeed(command: &mut Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, 0, "{command:?} failed:\n{stdout}\n{stderr}");
    stdout
}
