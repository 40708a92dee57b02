//! `cargo xtask test`: runs every test of every crate, after preparing what they need.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::setup::{self, Purpose};
use crate::{shell, system, workspace};

/// Sets up and runs `cargo test` with the arguments. Returns cargo's exit code.
pub fn run(arguments: &[OsString]) -> Result<ExitCode> {
    run_with(arguments, &[])
}

/// As [`run`], with environment variables for the tests.
pub fn run_with(arguments: &[OsString], variables: &[(&str, &OsStr)]) -> Result<ExitCode> {
    let ready = setup::run(Purpose::Test)?;
    // The judge's JPEG decoder is compared with libjpeg-turbo's.
    system::ensure_programs(&[("cjpeg", "libjpeg-turbo-progs"), ("djpeg", "libjpeg-turbo-progs")])?;
    // A test opens the evaluation page; without a browser, it says so and is skipped.
    if let Err(reason) = system::ensure_programs(&[("chromium", "chromium")]) {
        println!("no browser for testing pages: {reason:#}");
    }
    // The gateway's neighbours; without them, its tests say so and are skipped.
    let neighbours = [
        ("mosquitto", "mosquitto"),
        ("mosquitto_sub", "mosquitto-clients"),
        ("mbpoll", "mbpoll"),
        ("promtool", "prometheus"),
    ];
    if let Err(reason) = system::ensure_programs(&neighbours) {
        println!("no programs for testing the gateway: {reason:#}");
    }
    // The web server of a simulated fleet; without it, its tests say so and are skipped.
    if let Err(reason) = system::ensure_programs(&[("nginx", "nginx-light")]) {
        println!("no web server for testing fleets: {reason:#}");
    }
    // A GigE Vision camera on loopback; without it, the tests of `capture-aravis` say so and are skipped.
    if let Err(reason) = system::ensure_programs(&[("arv-fake-gv-camera-0.8", "aravis-tools")]) {
        println!("no fake camera for testing capture-aravis: {reason:#}");
    }
    // minisign's own program is to verify what the trainer signs; without it, that test says so and is skipped.
    if let Err(reason) = system::ensure_programs(&[("minisign", "minisign")]) {
        println!("no minisign for testing signatures: {reason:#}");
    }
    let mut cargo = workspace::cargo(&ready.root);
    cargo.arg("test");
    if !names_packages(arguments) {
        if before_dashes(arguments).any(|word| word == "--test") {
            // With --test, cargo builds only the programs of the test's own package, so build all of them here. Include the examples,
            // which share the tests' dependencies; otherwise those would be built again.
            let mut build = workspace::cargo(&ready.root);
            shell::run(build.args(["build", "--quiet", "--workspace", "--bins", "--examples"]))?;
        }
        cargo.arg("--workspace");
    }
    cargo.args(arguments).envs(variables.iter().copied());
    workspace::set_test_threads(&mut cargo);
    cargo.env("NOMINAL_WEIGHTS", &ready.weights).env("NOMINAL_SAMPLES", &ready.samples);
    if let Some(python) = &ready.python {
        cargo.env("NOMINAL_PYTHON", python);
    }
    // Real images and weights that can't be published. Tests that need them report that they are skipped without them.
    match ready.root.join("../shared/data").canonicalize() {
        Ok(data) => cargo.env("NOMINAL_DATA", data),
        Err(_) => cargo.env_remove("NOMINAL_DATA"),
    };
    println!("$ {}", shell::line(&cargo, None));
    let status = cargo.status().context("can't start cargo")?;
    // No exit code means that it was ended by a signal.
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Returns whether the arguments for `cargo test` (those before `--`) select packages.
fn names_packages(arguments: &[OsString]) -> bool {
    before_dashes(arguments).any(|a| a.starts_with("-p") || a == "--package" || a.starts_with("--package="))
}

/// Returns the arguments that cargo itself reads.
fn before_dashes(arguments: &[OsString]) -> impl Iterator<Item = Cow<'_, str>> {
    arguments.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_what_is_for_the_test_programs() {
        let named = |words: &[&str]| names_packages(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(named(&["-p", "judge"]) && named(&["-pjudge"]) && named(&["--package=judge"]));
        assert!(!named(&[]) && !named(&["some_test"]) && !named(&["some_test", "--", "-p"]));
    }
}
