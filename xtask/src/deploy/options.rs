//! The command line of `cargo xtask deploy`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap_light::{Arg, ArgMatches, Command};

use crate::arguments::{choice, flag, path, path_of, value_of};
use crate::package::TARGETS;

const ABOUT: &str = "\
Installs package, bundle and line file on a board over ssh (as root, or as a user with passwordless sudo), runs
`edge-runtime doctor` and `check` there and restarts the line; if anything fails, it rolls back. Without --package,
builds the package like `cargo xtask package --target aarch64`. --test tests deployments, including failures, with
an ssh server on loopback and a Debian root; it needs a bundle and root.";

/// Returns the command's arguments and help.
pub fn command() -> Command {
    let only_a_deployment = ["host", "line", "target", "ssh-config"];
    Command::new("deploy").about(ABOUT).args([
        Arg::new("host")
            .value_name("HOST")
            .value_parser(host)
            .required_unless_present("test")
            .help("The board's ssh destination: a name, or user@name"),
        path("bundle", "DIR", "The bundle; its folder's name is its name on the board"),
        path("line", "FILE", "The line file"),
        path("package", "DEB", "The package [default: built now]").conflicts_with("target"),
        choice("target", &TARGETS, "The target to build the package for").default_value("aarch64"),
        path("ssh-config", "FILE", "The configuration file for `ssh -F`"),
        flag("test", "Test deployments; needs --bundle")
            .requires("bundle")
            .conflicts_with_all(only_a_deployment),
    ])
}

/// Checks the host: ssh would take a leading dash for an option, such as a command to run on this machine.
fn host(word: &str) -> Result<String, &'static str> {
    if word.starts_with('-') || word.is_empty() {
        return Err("give the board's ssh destination: a name, or user@name");
    }
    Ok(word.to_owned())
}

/// What to deploy, and where to.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The ssh destination: a name, or `user@name`.
    pub host: String,
    /// A bundle; its folder's name is its name on the board.
    pub bundle: Option<PathBuf>,
    /// The line file.
    pub line: Option<PathBuf>,
    /// The package; built if not given.
    pub package: Option<PathBuf>,
    /// The target to build the package for.
    pub target: String,
    /// The configuration file for `ssh -F`.
    pub ssh_config: Option<PathBuf>,
}

/// The task given on the command line.
#[derive(Debug, PartialEq, Eq)]
pub enum DeployTask {
    /// A deployment.
    Deploy(Options),
    /// A test of deployments with this bundle; the package is built for this host if not given.
    Test { package: Option<PathBuf>, bundle: PathBuf },
}

impl DeployTask {
    /// Reads the command line.
    pub fn from(given: &ArgMatches) -> Result<Self> {
        let (package, bundle) = (path_of(given, "package"), path_of(given, "bundle"));
        if given.get_flag("test") {
            return Ok(Self::Test {
                package,
                bundle: bundle.context("the test needs a bundle; give --bundle")?,
            });
        }
        Ok(Self::Deploy(Options {
            host: value_of(given, "host").context("no board was given; give its ssh destination")?.to_owned(),
            bundle,
            line: path_of(given, "line"),
            package,
            target: value_of(given, "target").unwrap_or("aarch64").to_owned(),
            ssh_config: path_of(given, "ssh-config"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<DeployTask> {
        let words = std::iter::once("deploy").chain(line.split_whitespace());
        DeployTask::from(&command().try_get_matches_from(words)?)
    }

    #[test]
    fn a_deployment_goes_to_one_host() {
        let DeployTask::Deploy(options) = parse("pi@board --bundle cap --line line.toml").unwrap() else {
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
        let wanted = DeployTask::Test { package: Some("x.deb".into()), bundle: "cap".into() };
        assert_eq!(parse("--test --package x.deb --bundle cap").unwrap(), wanted);
        assert!(matches!(parse("--test --bundle cap").unwrap(), DeployTask::Test { package: None, .. }));
        for wrong in ["--test", "--test --package x.deb", "board --test --package x.deb --bundle cap"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
