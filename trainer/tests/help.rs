//! Tests the help texts. (Cargo builds a package's programs for its integration tests: the whole-system tests
//! run this one too.)
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

use std::process::{Command, Output};

fn trainer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trainer")).args(arguments).output().unwrap()
}

#[test]
fn help_teaches_the_way_from_photos_to_a_verdict() {
    let help = String::from_utf8(trainer(&["--help"]).stdout).unwrap();
    for step in ["trainer setup", "trainer train", "trainer export", "trainer eval", "edge-runtime inspect"] {
        assert!(help.contains(step), "{step} is not in:\n{help}");
    }
    let help = String::from_utf8(trainer(&["train", "--help"]).stdout).unwrap();
    assert!(
        help.contains("stpm")
            && help.contains("efficientad")
            && help.contains("normalising flows")
            && help.contains("--roi")
            && help.contains("--resume"),
        "{help}"
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    assert_eq!(trainer(&["train"]).status.code(), Some(2));
    assert_eq!(trainer(&["paint"]).status.code(), Some(2));
}
