//! Shared by the whole-system tests: programs, private data, generated images.
//!
//! `cargo xtask test` sets the variables that point to private data. A test without its data says so on standard
//! error and returns; nothing is skipped silently.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this crate is test support")]

pub mod images;
#[path = "../../judge/tests/support/times.rs"]
mod repetitions;
#[path = "../../crates/networks/tests/support/mod.rs"]
pub mod teachers;
pub mod workshop;

pub use repetitions::times;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How long a test waits for another program before it fails.
pub const LONG: Duration = Duration::from_secs(300);

/// Returns the existing path named by an environment variable, or `None` with a line on standard error that says what is
/// skipped.
#[must_use]
pub fn optional_data(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        report_skipped(&format!(
            "{what} ({variable} is not set; `cargo xtask test` sets it if the data is available)"
        ));
    }
    path
}

/// Reports that a test, or a part of one, can't run here.
pub fn report_skipped(what: &str) {
    // Bypasses the print macros, whose output the test harness captures.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// Returns a command for one of this workspace's programs, which `cargo test --workspace` builds before any test
/// runs.
///
/// # Panics
/// If it isn't built.
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
/// If it can't be started.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Runs a command that must succeed and returns its standard output.
///
/// # Panics
/// If it fails, with its output.
pub fn succeed(command: &mut Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, 0, "{command:?} failed:\n{stdout}\n{stderr}");
    stdout
}

/// Waits until something is so.
///
/// # Panics
/// If it isn't within [`LONG`], with what is said of it then.
pub fn wait_until(is: impl Fn() -> bool, what: impl Fn() -> String) {
    let end = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < end, "not within {LONG:?}: {}", what());
        std::thread::sleep(Duration::from_millis(50));
    }
}
