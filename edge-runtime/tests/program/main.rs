//! Tests of the program as a user runs it.
// Clippy's exemptions for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../judge/tests/support/mod.rs"]
mod support;

#[path = "../../src/testing/emulator.rs"]
mod emulator;

mod bench;
mod calibrate;
mod capture;
mod collect;
mod doctor;
mod exchange;
mod gateway;
mod inspect;
mod latency;
mod line;
#[cfg(feature = "serial")]
mod losses;
mod review;
mod service;
mod signed;
mod trouble;
mod views;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{frame, write_usual_bundle};

/// A temporary folder with the usual bundle in `bundle`, and frames.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_usual_bundle(&folder.path().join("bundle"));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn write_frame(&self, name: &str, spot: u8) {
        self.write(name, &judge::encode_png(&frame(spot)).unwrap());
    }

    /// Returns the record folders in `records`, sorted by name, without the recorder's own hidden files.
    fn records(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("records")).unwrap().map(|entry| entry.unwrap());
        let visible = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        let mut records: Vec<PathBuf> = visible.map(|entry| entry.path()).collect();
        records.sort();
        records
    }

    /// Runs a command with the bundle in the folder.
    fn run(&self, command: &str, arguments: &[&str]) -> Output {
        program(self.folder.path()).args([command, "--bundle", "bundle"]).args(arguments).output().unwrap()
    }
}

fn program(folder: &Path) -> Command {
    let mut command = emulator::command(env!("CARGO_BIN_EXE_edge-runtime"));
    command.current_dir(folder);
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn wrong_usage_is_told_apart_from_errors() {
    let here = std::env::temp_dir();
    for arguments in [&[][..], &["inspect"], &["judge"], &["inspect", "--bundle", "b", "x", "--threads", "0"]]
    {
        let output = program(&here).args(arguments).output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    let output = program(&here).arg("--version").output().unwrap();
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains(env!("CARGO_PKG_VERSION")));
}
