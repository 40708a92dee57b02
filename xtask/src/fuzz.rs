//! `cargo xtask fuzz`: mutated inputs of every kind, for as long as one likes.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_light::{Arg, ArgMatches, Command, value_parser};

use crate::arguments::{choice, path, path_of, word_of};
use crate::test;

/// The kinds of input, each a test of some crate's `tests/fuzz.rs`.
const TARGETS: [&str; 8] = [
    "threshold_files",
    "telegrams",
    "models",
    "images",
    "line_files",
    "commands",
    "weight_files",
    "zipped_weights",
];

/// The command line.
pub fn command() -> Command {
    let number = |name: &'static str, help| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64)).help(help)
    };
    Command::new("fuzz")
        .about(
            "Sets up, then mutates valid inputs of each kind and tries whether all are taken or refused: without a panic, soon,\n\
             and within some memory. An input that isn't is kept below target/fuzz. --minutes says how long for each kind (1\n\
             unless given), --count how many inputs instead; --target chooses a kind, --input tries one file again.",
        )
        .args([
            choice("target", &TARGETS, "The kind of input; all of them unless given"),
            number("minutes", "For so long each").conflicts_with("count"),
            number("count", "So many of each"),
            number("seed", "Where chance starts: other inputs than those of seed 1"),
            path("input", "FILE", "This input alone, as it is").requires("target"),
        ])
}

/// Runs the kinds that were chosen.
pub fn run(given: &ArgMatches) -> Result<ExitCode> {
    let input = path_of(given, "input").map(|path| absolute(&path)).transpose()?;
    let variables = variables(given, input);
    let variables: Vec<(&str, &OsStr)> =
        variables.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    test::run_with(&words(word_of(given, "target")), &variables)
}

/// A test program runs in its package's folder.
fn absolute(path: &Path) -> Result<OsString> {
    let found = path.canonicalize();
    Ok(found.with_context(|| format!("{} can't be read; check the path", path.display()))?.into())
}

/// For `cargo test`.
fn words(target: Option<&str>) -> Vec<OsString> {
    let all = ["--no-fail-fast", "--test", "fuzz"];
    let one = target.map(|target| ["--", "--exact", target]);
    all.into_iter().chain(one.into_iter().flatten()).map(OsString::from).collect()
}

/// What the test programs look for, see the crate `fuzzing`.
fn variables(given: &ArgMatches, input: Option<OsString>) -> Vec<(&'static str, OsString)> {
    let number = |name: &str| given.get_one::<u64>(name).map(|n| OsString::from(n.to_string()));
    let count = number("count");
    // A count in place of minutes.
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
        assert_eq!(words(None), ["--no-fail-fast", "--test", "fuzz"]);
        assert_eq!(words(Some("models"))[3..], ["--", "--exact", "models"]);
        for wrong in ["fuzz --target x", "fuzz --input x", "fuzz --minutes 1 --count 1", "fuzz --minutes few"]
        {
            let words: Vec<&str> = wrong.split_whitespace().collect();
            assert!(crate::commands::parse(&words).is_err(), "{wrong}");
        }
    }
}
