//! `cargo xtask fuzz`: tests every kind of input with mutations, for a given time.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_light::{Arg, ArgMatches, Command, value_parser};

use crate::arguments::{choice, path, path_of, value_of};
use crate::test;

/// The kinds of input, each a test in some crate's `tests/fuzz.rs`.
const TARGETS: [&str; 17] = [
    "threshold_files",
    "telegrams",
    "models",
    "images",
    "line_files",
    "commands",
    "weight_files",
    "zipped_weights",
    "modbus_requests",
    "mqtt_packets",
    "line_messages",
    "gateway_files",
    "page_requests",
    "manifests",
    "signatures",
    "key_lists",
    "signed_bundles",
];

/// Returns the command's arguments and help.
pub fn command() -> Command {
    let number = |name: &'static str, help| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64)).help(help)
    };
    Command::new("fuzz")
        .about(
            "Sets up, then mutates valid inputs of each kind and checks that each is accepted or rejected without a panic, in\n\
             bounded time and memory. Failing inputs are kept in target/fuzz. --minutes sets the time for each kind (default\n\
             1), --count the number of inputs instead; --target selects a kind, --input tests a single file.",
        )
        .args([
            choice("target", &TARGETS, "The kind of input [default: all kinds]"),
            number("minutes", "Minutes for each kind").conflicts_with("count"),
            number("count", "Number of inputs of each kind"),
            number("seed", "Seed of the random mutations [default: 1]"),
            path("input", "FILE", "Test only this input, unchanged").requires("target"),
        ])
}

/// Runs the selected kinds.
pub fn run(given: &ArgMatches) -> Result<ExitCode> {
    let input = path_of(given, "input").map(|path| absolute(&path)).transpose()?;
    let variables = variables(given, input);
    let variables: Vec<(&str, &OsStr)> =
        variables.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    test::run_with(&test_arguments(value_of(given, "target")), &variables)
}

/// Makes a path absolute, because a test program runs in its package's folder.
fn absolute(path: &Path) -> Result<OsString> {
    let found = path.canonicalize();
    Ok(found.with_context(|| format!("can't read {}; check the path", path.display()))?.into())
}

/// Returns the arguments for `cargo test`.
fn test_arguments(target: Option<&str>) -> Vec<OsString> {
    let all = ["--no-fail-fast", "--test", "fuzz"];
    let one = target.map(|target| ["--", "--exact", target]);
    all.into_iter().chain(one.into_iter().flatten()).map(OsString::from).collect()
}

/// Returns the environment variables that the test programs read, see the crate `fuzzing`.
fn variables(given: &ArgMatches, input: Option<OsString>) -> Vec<(&'static str, OsString)> {
    let number = |name: &str| given.get_one::<u64>(name).map(|n| OsString::from(n.to_string()));
    let count = number("count");
    // A count replaces the minutes.
    let minutes = number("minutes").or_else(|| count.is_none().then(|| "1".into()));
    let all = [
        ("NOMINAL_FUZZ_MINUTES", minutes),
        ("NOMINAL_FUZZ_COUNT", count),
        ("NOMINAL_FUZZ_SEED", number("seed")),
        ("NOMINAL_FUZZ_INPUT", input),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_test_and_every_test_a_kind() {
        let programs = [
            include_str!("../../shared-format/tests/fuzz.rs"),
            include_str!("../../judge/tests/fuzz.rs"),
            include_str!("../../edge-runtime/tests/fuzz.rs"),
            include_str!("../../crates/networks/tests/fuzz.rs"),
            include_str!("../../gateway/tests/fuzz.rs"),
            include_str!("../../crates/signing/tests/fuzz.rs"),
        ];
        let all = programs.concat();
        for target in TARGETS {
            assert!(all.contains(&format!("Fuzz::new(\"{target}\"")), "{target}");
            assert!(all.contains(&format!("#[test]\nfn {target}()")), "{target}");
        }
        assert_eq!(all.matches("Fuzz::new(").count(), TARGETS.len());
    }

    fn set(line: &str) -> Vec<(&'static str, OsString)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let matches = crate::commands::parse(&words).unwrap();
        variables(matches.subcommand().unwrap().1, None)
    }

    #[test]
    fn a_minute_is_enough_unless_something_else_is_said() {
        let of = |name, value: &str| (name, OsString::from(value));
        assert_eq!(set("fuzz"), [of("NOMINAL_FUZZ_MINUTES", "1")]);
        assert_eq!(set("fuzz --count 500"), [of("NOMINAL_FUZZ_COUNT", "500")]);
        let timed = [of("NOMINAL_FUZZ_MINUTES", "9"), of("NOMINAL_FUZZ_SEED", "4")];
        assert_eq!(set("fuzz --minutes 9 --seed 4 --target models"), timed);
    }

    #[test]
    fn one_kind_is_one_test() {
        assert_eq!(test_arguments(None), ["--no-fail-fast", "--test", "fuzz"]);
        assert_eq!(test_arguments(Some("models"))[3..], ["--", "--exact", "models"]);
        for wrong in ["fuzz --target x", "fuzz --input x", "fuzz --minutes 1 --count 1", "fuzz --minutes few"]
        {
            let words: Vec<&str> = wrong.split_whitespace().collect();
            assert!(crate::commands::parse(&words).is_err(), "{wrong}");
        }
    }
}
