//! Tests programs whose inputs make them panic, hang or fill the memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test support")]

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program, told how to fail.
fn spoilt(what: &str, variables: &[(&str, &str)]) -> Output {
    let program = env!("CARGO_BIN_EXE_spoilt");
    Command::new(program).arg(what).envs(variables.iter().copied()).output().unwrap()
}

/// Checks the sentence about the input and returns the path of the file that keeps it.
fn told(output: &Output, why: &str) -> String {
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let sentence = said.lines().find(|line| line.contains("input 19 of spoilt")).unwrap_or_default();
    assert!(sentence.contains(why), "{said}");
    let path = sentence.rsplit_once("--input ").unwrap().1.trim_end_matches('`').to_owned();
    assert!(Path::new(&path).is_file(), "{path}");
    path
}

#[test]
fn what_is_taken_well_ends_well() {
    let output = spoilt("nothing", &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"50 inputs\n");
    // It says more if a run was requested.
    let output = spoilt("nothing", &[("NOMINAL_FUZZ_COUNT", "30")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("spoilt: 30 inputs in 0 s, "), "{said}");
}

#[test]
fn a_panic_is_told_with_the_input_that_is_kept() {
    let path = told(&spoilt("panics", &[("NOMINAL_FUZZ_SEED", "5")]), "with seed 5 panics: it is kept");
    assert!(path.ends_with("/fuzz/spoilt/5-19"), "{path}");
    // The file alone, which is now the first input rather than the twentieth.
    std::fs::write(&path, b"spoilt").unwrap();
    let output = spoilt("panics", &[("NOMINAL_FUZZ_INPUT", &path)]);
    assert!(!output.status.success(), "{output:?}");
    let output = spoilt("nothing", &[("NOMINAL_FUZZ_INPUT", &path)]);
    assert_eq!(output.stdout, b"1 inputs\n");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_input_that_is_never_done_ends_the_program() {
    let path = told(&spoilt("hangs", &[("NOMINAL_FUZZ_SEED", "6")]), "is not done after 1 seconds");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_input_that_fills_the_memory_ends_the_program() {
    let path = told(&spoilt("fills", &[("NOMINAL_FUZZ_SEED", "7")]), "takes more memory than it may");
    std::fs::remove_file(path).unwrap();
}
