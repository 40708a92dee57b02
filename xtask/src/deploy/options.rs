//! The command line of `cargo xtask deploy`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap_light::{Arg, ArgMatches, Command};

use crate::arguments::{choice, flag, path, path_of, word_of};
use crate::package::TARGETS;

const ABOUT: &str = "\
Brings package, bundle and line file onto a board by ssh (as root, or as a user that sudo asks for no password),
runs `edge-runtime doctor` and `check` there and restarts the line; what fails is rolled back. Without --package
it packs anew, as `cargo xtask package --target aarch64` does. --test tries that out, failures included, with an ssh
server on loopback and a Debian root; it needs a bundle and root.";

/// The command line.
pub fn command() -> Command {
    let only_a_deployment = ["host", "line", "target", "ssh-config"];
    Command::new("deploy").about(ABOUT).args([
        Arg::new("host")
            .value_name("HOST")
            .value_parser(host)
            .required_unless_present("test")
            .help("The board, as ssh takes it: a name, or user@name"),
        path("bundle", "DIR", "The bundle; its folder's name is its name on the board"),
        path("line", "FILE", "The line file"),
        path("package", "DEB", "The package; packed anew unless given").conflicts_with("target"),
        choice("target", &TARGETS, "What to pack for").default_value("aarch64"),
        path("ssh-config", "FILE", "For `ssh -F`"),
        flag("test", "Test the deploying itself; needs --bundle")
            .requires("bundle")
            .conflicts_with_all(only_a_deployment),
    ])
}

/// ssh would take a word with a dash for an option, such as a command to run here.
fn host(word: &str) -> Result<String, &'static str> {
    if word.starts_with('-') || word.is_empty() {
        return Err("give the board's name as ssh takes it");
    }
    Ok(word.to_owned())
}

/// What goes where.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// As `ssh` takes it: a name, or `user@name`.
    pub host: String,
    /// A bundle; its folder's name is its name on the board.
    pub bundle: Option<PathBuf>,
    /// The line file.
    pub line: Option<PathBuf>,
    /// The package; packed anew unless given.
    pub package: Option<PathBuf>,
    /// What to pack for.
    pub target: String,
    /// For `ssh -F`.
    pub ssh_config: Option<PathBuf>,
}

/// What the words behind `deploy` ask for.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// A deployment.
    Deploy(Options),
    /// A test of deployments, with this bundle; the package is made for this host unless given.
    Test { package: Option<PathBuf>, bundle: PathBuf },
}

impl Task {
    /// From what was given on the command line.
    pub fn from(given: &ArgMatches) -> Result<Self> {
        let (package, bundle) = (path_of(given, "package"), path_of(given, "bundle"));
        if given.get_flag("test") {
            return Ok(Self::Test {
                package,
                bundle: bundle.context("the test needs a bundle; give --bundle")?,
            });
        }
        Ok(Self::Deploy(Options {
            host: word_of(given, "host").context("which board? Give its name as ssh takes it")?.to_owned(),
            bundle,
            line: path_of(given, "line"),
            package,
            target: word_of(given, "target").unwrap_or("aarch64").to_owned(),
            ssh_config: path_of(given, "ssh-config"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task> {
        let words = std::iter::once("deploy").chain(line.split_whitespace());
        Task::from(&command().try_get_matches_from(words)?)
    }

    #[test]
    fn a_deployment_goes_to_one_host() {
        let Task::Deploy(options) = parse("pi@board --bundle cap --line line.toml").unwrap() else {
            panic!("a test")
        };
        assert_eq!((options.host.as_str(), options.target.as_str()), ("pi@board", "aarch64"));
        assert_eq!(options.bundle, Some("cap".into()));
        for wrong in ["", "--bundle cap", "a b", "board --target mips", "board --bundle"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_cannot_be_an_option_for_ssh() {
        for wrong in ["-oProxyCommand=x", "-- -oProxyCommand=x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_test_needs_a_bundle_and_takes_no_host() {
        let wanted = Task::Test { package: Some("x.deb".into()), bundle: "cap".into() };
        assert_eq!(parse("--test --package x.deb --bundle cap").unwrap(), wanted);
        assert!(matches!(parse("--test --bundle cap").unwrap(), Task::Test { package: None, .. }));
        for wrong in ["--test", "--test --package x.deb", "board --test --package x.deb --bundle cap"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
