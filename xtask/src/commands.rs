//! All commands, with their arguments, their help and the functions they run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_light::{Arg, ArgAction, ArgMatches, Command};

use crate::arguments::{all_passed_on, choice, flag, passed_on, path, path_of, paths_of, value_of};
use crate::setup::Purpose;
use crate::{
    board, checks, cross, demo, deploy, fuzz, image, instructions, nightly, package, peers, quality, release,
    setup, test,
};

const FOOT: &str = "\
`cargo xtask COMMAND --help` lists a command's options.
Downloads are kept in ~/.cache/nominal; set NOMINAL_CACHE to use another folder.
To use your own libtorch 2.11.0, set LIBTORCH to its folder, or set LIBTORCH_USE_PYTORCH=1.";

/// The arguments that `cargo xtask bench` passes to `cargo test`. One test at a time, so that none slows another down.
const BENCH: [&str; 7] =
    ["--test", "program", "--", "--ignored", "--nocapture", "--test-threads=1", "latency_of"];
/// The arguments that `cargo xtask soak` passes to `cargo test`.
const SOAK: [&str; 5] = ["--test", "soak", "--", "--ignored", "--nocapture"];

type Run = fn(&ArgMatches) -> Result<ExitCode>;

/// Returns every command with the function it runs.
fn all() -> Vec<(Command, Run)> {
    vec![
        (
            Command::new("setup")
                .about(
                    "Downloads what the project needs, once: libtorch (for the trainer), a teacher network, a sample set of\n\
                     solar cells and, for the tests, a few Python packages. Prints each download's source, size and licence.\n\
                     A second run only checks. --for demo skips what only the tests need.",
                )
                .arg(choice("for", &["demo", "test"], "What to set up for").default_value("test")),
            |given| {
                let purpose = if value_of(given, "for") == Some("demo") { Purpose::Demo } else { Purpose::Test };
                setup::run(purpose).map(|_| ExitCode::SUCCESS)
            },
        ),
        (
            Command::new("demo").about(
                "Sets up, then trains on photos of good cells, exports a bundle, evaluates it on unseen cells and judges\n\
                 a few of them as the line would. Finally prints the path of a results page.",
            ),
            |_| demo::run().map(success),
        ),
        (
            Command::new("test")
                .about(
                    "Sets up, then runs every test. Examples: cargo xtask test -- -p shared-format\n\
                     \x20                                        cargo xtask test -- some_test_name -- --nocapture",
                )
                .arg(passed_on("Arguments for cargo test")),
            |given| test::run(&all_passed_on(given)),
        ),
        (
            Command::new("cross")
                .about(
                    "Builds the board's crates for 64-bit ARM with Debian's packages and tests them under QEMU's user emulation.",
                )
                .arg(passed_on("Arguments for cargo test")),
            |given| cross::run(&all_passed_on(given)),
        ),
        (
            Command::new("board")
                .about(
                    "Boots an emulated ARM board with a camera, GPIO and a serial port, runs the line on it and checks it from outside.",
                )
                .arg(passed_on("A scenario's name [default: all scenarios]")),
            |given| board::run(&all_passed_on(given)),
        ),
        (bench_command(), bench),
        (
            Command::new("soak").about(
                "Sets up, then has the line's program judge a hundred thousand frames and checks that memory and handles\n\
                 don't grow. Takes a quarter of an hour. NOMINAL_SOAK_FRAMES sets another number of frames.",
            ),
            |_| test::run(&SOAK.map(OsString::from)),
        ),
        (
            Command::new("features")
                .about(
                    "Lints the programs without features, and edge-runtime with each feature alone.\n\
                     With --powerset, lints every crate with every combination of features.",
                )
                .arg(flag("powerset", "Lint every crate with every combination of features")),
            |given| checks::features(given.get_flag("powerset")).map(success),
        ),
        (
            Command::new("deny")
                .about(
                    "Checks all dependencies' licences and sources, and for banned crates (deny.toml). With `advisories`, checks\n\
                     for known vulnerabilities instead, using a database fetched from GitHub.",
                )
                .arg(Arg::new("check").value_name("CHECK").value_parser(checks::DENY).num_args(0..)),
            |given| {
                let named: Vec<&str> =
                    given.get_many::<String>("check").into_iter().flatten().map(String::as_str).collect();
                checks::deny(&named).map(success)
            },
        ),
        (
            Command::new("quality")
                .about(
                    "Trains each method on each set, evaluates the bundle on unseen images, and prints a table with intervals. Rows\n\
                     are kept in docs/quality.json, and only missing ones are measured. Fails if a method separates good from\n\
                     defective cells of the sample set worse than before. Without --sets, uses the sample set and those in ../shared/data.",
                )
                .arg(path("sets", "DIR", "A data set for training and testing; may be repeated").action(ArgAction::Append))
                .arg(passed_on("Arguments for trainer quality, such as --methods padim --recipes ours,published")),
            |given| quality::run(&paths_of(given, "sets"), &all_passed_on(given)).map(success),
        ),
        (fuzz::command(), fuzz::run),
        (nightly::command(), nightly::run),
        (package::command(), |given| package::run(&package::Options::from(given)?).map(success)),
        (release::command(), |given| release::run(&release::Options::from(given)?).map(success)),
        (deploy::command(), |given| deploy::run(&deploy::DeployTask::from(given)?).map(success)),
        (image::command(), |given| image::run(&image::Options::from(given)?).map(success)),
    ]
}

fn bench_command() -> Command {
    Command::new("bench")
        .about(
            "Sets up, then prints the line's latency outside the network, and how late its gate is. Takes a minute.\n\
             --peers times the judge's networks, and the given bundles, in other inference engines and its own, with one\n\
             and two threads, and whole frames beside libjpeg-turbo, OpenCV and ONNX Runtime in Python. It writes\n\
             docs/performance.md. Takes about a quarter of an hour on an otherwise idle machine.\n\
             --instructions counts the instructions that a 64-bit ARM processor executes per frame, with the judge's\n\
             kernels and with tract's own. Takes a quarter of an hour.",
        )
        .args([
            flag("peers", "Compare with other inference engines"),
            choice("only", &peers::PARTS, "Measure only this; docs/performance.md stays as it is").requires("peers"),
            path("json", "FILE", "Write the comparison's rows to this file").requires("peers"),
            path("bundle", "FOLDER", "Also compare with this bundle; may be repeated")
                .action(ArgAction::Append)
                .requires("peers"),
            flag("instructions", "Count instructions").conflicts_with("peers"),
            Arg::new("network")
                .value_name("NETWORK")
                .value_parser(instructions::NETWORKS)
                .num_args(0..)
                .requires("instructions")
                .help("The networks to count [default: all]"),
        ])
}

fn bench(given: &ArgMatches) -> Result<ExitCode> {
    if given.get_flag("peers") {
        let (json, bundles): (_, Vec<PathBuf>) = (path_of(given, "json"), paths_of(given, "bundle"));
        peers::run(json.as_deref(), value_of(given, "only"), &bundles).map(success)
    } else if given.get_flag("instructions") {
        let networks: Vec<&str> =
            given.get_many::<String>("network").into_iter().flatten().map(String::as_str).collect();
        instructions::run(&networks).map(success)
    } else {
        test::run(&BENCH.map(OsString::from))
    }
}

fn success((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn command(commands: &[(Command, Run)]) -> Command {
    Command::new("xtask")
        .bin_name("cargo xtask")
        .about("Nominal's own commands")
        .after_help(FOOT)
        .arg_required_else_help(true)
        .subcommand_required(true)
        .subcommands(commands.iter().map(|(command, _)| command.clone()))
}

/// Parses the words after `cargo xtask`, for tests.
#[cfg(test)]
pub fn parse(words: &[&str]) -> Result<ArgMatches, clap_light::Error> {
    command(&all()).try_get_matches_from(["xtask"].iter().chain(words))
}

/// Runs the command given on the command line. Invalid arguments end the program with an error that suggests valid ones.
pub fn run() -> Result<ExitCode> {
    let commands = all();
    let matches = command(&commands).get_matches();
    let (name, given) = matches.subcommand().context("no command given; see `cargo xtask help`")?;
    let found = commands.iter().find(|(command, _)| command.get_name() == name);
    let (_, run) = found.with_context(|| format!("unknown command `{name}`; see `cargo xtask help`"))?;
    run(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ArgMatches, clap_light::Error> {
        super::parse(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn every_command_is_well_formed() {
        command(&all()).debug_assert();
    }

    #[test]
    fn what_stands_behind_the_dashes_is_passed_on_as_it_is() {
        let matches = parse("test -- -p judge some_test -- --nocapture").unwrap();
        let (_, given) = matches.subcommand().unwrap();
        let words = ["-p", "judge", "some_test", "--", "--nocapture"].map(OsString::from);
        assert_eq!(all_passed_on(given), words);
        for line in ["test", "test --", "cross --", "board"] {
            let matches = parse(line).unwrap();
            assert!(all_passed_on(matches.subcommand().unwrap().1).is_empty(), "{line}");
        }
        assert!(parse("test --no-fail-fast").unwrap_err().to_string().contains("-- --no-fail-fast"));
    }

    #[test]
    fn options_of_bench_go_with_what_they_are_for() {
        for right in [
            "bench",
            "bench --peers --json rows.json --bundle a --bundle b",
            "bench --peers --only frames",
            "bench --instructions",
            "bench --instructions stpm-resnet18-256",
        ] {
            parse(right).unwrap();
        }
        for wrong in [
            "bench --json x",
            "bench --only frames",
            "bench --bundle x",
            "bench stpm-resnet18-256",
            "bench --peers --instructions",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let error = parse("bench --instructions vgg").unwrap_err().to_string();
        assert!(error.contains("stpm-resnet18-256"), "{error}");
    }

    #[test]
    fn wrong_words_are_answered_with_the_way_to_the_right_ones() {
        for (wrong, named) in
            [("tset", "'tset'"), ("setup --for users", "[possible values: demo, test]"), ("soak 5", "'5'")]
        {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("--help"), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_help_says_what_every_command_does() {
        let help = command(&all()).render_help().to_string();
        for (command, _) in all() {
            let about = command.get_about().unwrap().to_string();
            for line in about.lines() {
                assert!(help.contains(line.trim()), "{}: {line}", command.get_name());
            }
        }
    }
}
