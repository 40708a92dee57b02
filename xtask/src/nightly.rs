//! `cargo xtask nightly`: runs the steps that take too long for every change, one after another. After a failure, the remaining steps
//! still run.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap_light::{Arg, ArgAction, ArgMatches, Command};

use crate::arguments::flag;
use crate::{shell, workspace};

/// A step of the nightly run.
struct NightlyStep {
    name: &'static str,
    what: &'static str,
    /// The arguments for `cargo xtask`.
    args: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    /// An earlier step that this one depends on.
    after: Option<&'static str>,
}

const fn step(name: &'static str, what: &'static str, args: &'static [&'static str]) -> NightlyStep {
    NightlyStep { name, what, args, variables: &[], after: None }
}

/// All steps, in order.
const STEPS: [NightlyStep; 21] = [
    NightlyStep {
        variables: &[("PROPTEST_CASES", "25600")],
        ..step(
            "properties",
            "property tests; those with the default number of cases run a hundred times as many, and kernels check every pointer",
            &[
                "test",
                "--",
                "--no-fail-fast",
                "--config",
                "profile.dev.package.kernels.debug-assertions=true",
                "-p",
                "shared-format",
                "-p",
                "kernels",
                "-p",
                "edge-runtime",
            ],
        )
    },
    NightlyStep {
        variables: &[("NOMINAL_TEST_TIMES", "50")],
        ..step(
            "jpeg",
            "125,000 JPEGs compared with libjpeg",
            &["test", "--", "--no-fail-fast", "-p", "judge", "--test", "jpeg_reference"],
        )
    },
    NightlyStep {
        variables: &[("NOMINAL_ARAVIS_FRAMES", "100000"), ("NOMINAL_ARAVIS_KILLS", "100")],
        ..step(
            "aravis",
            "a hundred thousand frames of the fake GigE Vision camera, which is killed a hundred times, as is its process",
            &["test", "--", "-p", "capture-aravis", "--test", "fake_camera", "--", "--nocapture"],
        )
    },
    NightlyStep {
        variables: &[("NOMINAL_TEST_TIMES", "5")],
        ..step(
            "simulated-line",
            "ten million parts on a virtual clock, with a hostile gateway",
            &["test", "--", "-p", "edge-runtime", "--test", "simulated_line"],
        )
    },
    NightlyStep {
        variables: &[("NOMINAL_TEST_TIMES", "4")],
        ..step(
            "product",
            "the whole-system tests, with four times as many kills and every interrupted method",
            &["test", "--", "--no-fail-fast", "--test", "product"],
        )
    },
    NightlyStep {
        variables: &[("NOMINAL_FLEET_BOARDS", "1000"), ("NOMINAL_FLEET_KILLS", "20")],
        ..step(
            "fleet",
            "a thousand simulated boards that a bundle is rolled out to, with nginx and mosquitto, all killed at random",
            &[
                "test",
                "--",
                "-p",
                "nominal-fleet",
                "--test",
                "fleet",
                "--",
                "--nocapture",
                "--test-threads=1",
            ],
        )
    },
    NightlyStep {
        variables: &[("NOMINAL_CAPTURE_KILLS", "100")],
        ..step(
            "capture",
            "a line whose capture process is killed a hundred times",
            &["test", "--", "-p", "edge-runtime", "--test", "program", "--", "--nocapture", "capture::"],
        )
    },
    step("fuzz", "mutated inputs, ten minutes for each kind", &["fuzz", "--minutes", "10"]),
    NightlyStep {
        variables: &[("NOMINAL_TEST_TIMES", "10")],
        ..step("board", "a thousand parts and thirty power cuts on the emulated board", &["board"])
    },
    step("features", "every combination of features", &["features", "--powerset"]),
    step("demo", "the demo, from photos to verdicts", &["demo"]),
    step("quality", "every method on every available set", &["quality"]),
    step("soak", "a hundred thousand frames", &["soak"]),
    step("bench", "the line's latencies", &["bench"]),
    step("instructions", "a 64-bit ARM processor's instructions per frame", &["bench", "--instructions"]),
    NightlyStep {
        after: Some("demo"),
        ..step(
            "package",
            "the package and its service, in Debian roots; needs root",
            &["package", "--target", "host", "--test", "--bundle", "target/demo/bundle"],
        )
    },
    NightlyStep {
        after: Some("demo"),
        ..step(
            "deploy",
            "deployments over ssh, including failures; needs root",
            &["deploy", "--test", "--bundle", "target/demo/bundle"],
        )
    },
    step(
        "release",
        "what people download, but libtorch (which needs Debian 12), installed in a bare Debian root; needs root",
        &["release", "--test", "--only", "trainer", "--only", "x86-64", "--only", "aarch64"],
    ),
    step(
        "reproduce",
        "the release for workstations without libtorch and for x86-64, built twice and compared",
        &["release", "--verify-reproducible", "--only", "trainer", "--only", "x86-64"],
    ),
    step("image", "the image on an emulated board; needs root", &["image", "--test"]),
    step("peers", "other inference engines; writes docs/performance.md", &["bench", "--peers"]),
];

/// Returns the command's arguments and help.
pub fn command() -> Command {
    Command::new("nightly")
        .about(
            "Runs the steps that take too long for every change, continues after failures, and ends with a table of results\n\
             and times. --list lists the steps, --only NAME runs some of them. Takes a few hours.",
        )
        .args([
            flag("list", "List the steps"),
            Arg::new("only")
                .long("only")
                .value_name("NAME")
                .value_parser(STEPS.map(|step| step.name))
                .action(ArgAction::Append)
                .hide_possible_values(true)
                .help("Run only this step and the one it depends on; may be repeated"),
        ])
}

/// Runs the steps, or lists them.
pub fn run(given: &ArgMatches) -> Result<ExitCode> {
    if given.get_flag("list") {
        STEPS.iter().for_each(|step| println!("{:<14} {}: {}", step.name, step.what, line(step)));
        return Ok(ExitCode::SUCCESS);
    }
    let named: Vec<&str> =
        given.get_many::<String>("only").into_iter().flatten().map(String::as_str).collect();
    let root = workspace::root()?;
    let outcomes = all_of(&chosen(&named), |step| {
        let mut cargo = workspace::cargo(&root);
        shell::run(cargo.arg("xtask").args(step.args).envs(step.variables.iter().copied()))
    });
    println!("\n=== nightly");
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    let passed = outcomes.iter().all(|outcome| outcome.passed);
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every step, regardless of earlier failures.
fn all_of(steps: &[&NightlyStep], mut run: impl FnMut(&NightlyStep) -> Result<()>) -> Vec<StepOutcome> {
    let one = |step: &&NightlyStep| {
        println!("\n=== {}: {}", step.name, line(step));
        let begin = Instant::now();
        let ran = run(step);
        if let Err(error) = &ran {
            eprintln!("error: {error:#}");
        }
        let outcome = StepOutcome { name: step.name, passed: ran.is_ok(), took: begin.elapsed() };
        println!("=== {outcome}");
        outcome
    };
    steps.iter().map(one).collect()
}

/// Returns the named steps and those they depend on; all steps if none is named.
fn chosen(named: &[&str]) -> Vec<&'static NightlyStep> {
    let needed = |name| STEPS.iter().any(|step| step.after == Some(name) && named.contains(&step.name));
    let is_chosen = |name| named.is_empty() || named.contains(&name) || needed(name);
    STEPS.iter().filter(|step| is_chosen(step.name)).collect()
}

/// Formats a step as a user would type it.
fn line(step: &NightlyStep) -> String {
    let variables = step.variables.iter().map(|(name, value)| format!("{name}={value} "));
    format!("{}cargo xtask {}", variables.collect::<String>(), step.args.join(" "))
}

/// The outcome of a step.
struct StepOutcome {
    name: &'static str,
    passed: bool,
    took: Duration,
}

impl std::fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.passed { "passed" } else { "FAILED" };
        write!(f, "{:<14} {word} {:>6.1} min", self.name, self.took.as_secs_f64() / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_command_that_exists_and_a_name_of_its_own() {
        for step in &STEPS {
            crate::commands::parse(step.args).unwrap_or_else(|error| panic!("{}: {error}", step.name));
            assert_eq!(STEPS.iter().filter(|other| other.name == step.name).count(), 1, "{}", step.name);
        }
    }

    #[test]
    fn only_known_steps_are_taken() {
        crate::commands::parse(&["nightly", "--only", "soak", "--only", "bench"]).unwrap();
        assert!(crate::commands::parse(&["nightly", "--only", "soaks"]).is_err());
    }

    #[test]
    fn a_step_comes_with_the_one_that_it_needs() {
        let names = |named: &[&str]| chosen(named).iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(names(&["deploy"]), ["demo", "deploy"]);
        assert_eq!(names(&["soak", "properties"]), ["properties", "soak"]);
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn a_failure_is_shown_and_the_rest_runs() {
        let steps: Vec<&NightlyStep> = STEPS.iter().take(3).collect();
        let fails =
            |step: &NightlyStep| if step.name == STEPS[0].name { anyhow::bail!("no") } else { Ok(()) };
        let outcomes = all_of(&steps, fails);
        assert_eq!(outcomes.iter().map(|outcome| outcome.passed).collect::<Vec<_>>(), [false, true, true]);
        assert!(outcomes[0].to_string().contains("FAILED") && outcomes[1].to_string().contains("passed"));
    }

    #[test]
    fn a_step_is_printed_as_one_would_type_it() {
        let step = STEPS.iter().find(|step| step.name == "board").unwrap();
        assert_eq!(line(step), "NOMINAL_TEST_TIMES=10 cargo xtask board");
    }
}
