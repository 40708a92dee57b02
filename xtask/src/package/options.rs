//! The command line of `cargo xtask package`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap_light::{Arg, ArgMatches, Command};

use crate::arguments::{choice, flag, path, path_of, value_of};
use crate::cross;

const ABOUT: &str = "\
Builds edge-runtime and gateway (with the profile `device` by default) and packs them as target/package/nominal_*.deb, with
services, line file and documents. --program packs an edge-runtime built elsewhere, with the gateway beside it. --for sets the oldest supported system:
JetPack 5 (glibc 2.31; the default for boards) or Debian and Raspberry Pi OS bookworm (2.36; the default for this
host). --test then installs, upgrades, removes and purges the package in a Debian root for its processor, which
needs root and a few more Debian packages. With a bundle, and if the processor is this host's, it also tests the
service under a separate systemd: killed, hung, upgraded, without privileges. --aravis packs capture-aravis instead, for GigE Vision
and USB3 Vision cameras: a package of its own, which needs Debian bookworm's libaravis-0.8-0.";

/// The targets that packages can be built for.
pub const TARGETS: [&str; 2] = ["aarch64", "host"];

/// Returns the command's arguments and help.
pub fn command() -> Command {
    Command::new("package").about(ABOUT).args([
        choice("target", &TARGETS, "The target to build for").default_value("host"),
        Arg::new("profile").long("profile").default_value("device").help("The cargo profile"),
        path(
            "program",
            "FILE",
            "Pack this edge-runtime, and the gateway beside it, instead of building them",
        ),
        choice("for", &["jetpack5", "bookworm"], "The oldest supported system"),
        flag("test", "Test the package in a Debian root"),
        path("bundle", "DIR", "A bundle for testing the service").requires("test"),
        flag("aravis", "Pack capture-aravis instead, as nominal-capture-aravis")
            .conflicts_with_all(["program", "test", "for"]),
    ])
}

/// The package's options.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The board's target triple; `None` for this host.
    pub triple: Option<&'static str>,
    /// The cargo profile.
    pub profile: String,
    /// A program to pack instead of building one.
    pub program: Option<PathBuf>,
    /// The oldest supported system.
    pub oldest: Oldest,
    /// Whether the package is tested.
    pub test: bool,
    /// A bundle for testing the service.
    pub bundle: Option<PathBuf>,
    /// Whether to pack the program for GigE Vision and USB3 Vision cameras instead.
    pub aravis: bool,
}

/// The oldest system that the package supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oldest {
    /// JetPack 5, which is Ubuntu 20.04.
    Jetpack5,
    /// Debian and Raspberry Pi OS 12.
    Bookworm,
}

impl Options {
    /// Returns the default options for one of [`TARGETS`].
    pub fn for_target(target: &str) -> Result<Self> {
        let (triple, oldest) = match target {
            "aarch64" => (Some(cross::TARGET), Oldest::Jetpack5),
            "host" => (None, Oldest::Bookworm),
            other => bail!("unknown --target {other}; give {}", TARGETS.join(" or ")),
        };
        Ok(Self {
            triple,
            profile: "device".to_owned(),
            program: None,
            oldest,
            test: false,
            bundle: None,
            aravis: false,
        })
    }

    /// Returns the options for programs that were built with a profile: `edge-runtime`, with the gateway beside it.
    pub fn for_programs(triple: &str, program: &Path, profile: &str) -> Result<Self> {
        let usual = Self::for_target(if triple == cross::TARGET { "aarch64" } else { "host" })?;
        Ok(Self { program: Some(program.to_owned()), profile: profile.to_owned(), ..usual })
    }

    /// Reads the command line.
    pub fn from(given: &ArgMatches) -> Result<Self> {
        let usual = Self::for_target(value_of(given, "target").unwrap_or("host"))?;
        Ok(Self {
            profile: value_of(given, "profile").map_or(usual.profile, str::to_owned),
            program: path_of(given, "program"),
            oldest: match value_of(given, "for") {
                Some("jetpack5") => Oldest::Jetpack5,
                Some(_) => Oldest::Bookworm,
                None => usual.oldest,
            },
            test: given.get_flag("test"),
            bundle: path_of(given, "bundle"),
            aravis: given.get_flag("aravis"),
            ..usual
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words = std::iter::once("package").chain(line.split_whitespace());
        Options::from(&command().try_get_matches_from(words)?)
    }

    #[test]
    fn a_board_s_package_is_for_old_systems_unless_said_otherwise() {
        let board = parse("--target aarch64").unwrap();
        assert_eq!(board, Options::for_target("aarch64").unwrap());
        assert_eq!((board.oldest, board.profile.as_str(), board.test), (Oldest::Jetpack5, "device", false));
        assert_eq!(parse("--target aarch64 --for bookworm").unwrap().oldest, Oldest::Bookworm);
        assert_eq!(parse("--for jetpack5").unwrap().oldest, Oldest::Jetpack5);
        let host = parse("--target host --program x --test --profile dev --bundle cap").unwrap();
        assert_eq!((host.oldest, host.triple, host.test), (Oldest::Bookworm, None, true));
        assert_eq!((host.profile.as_str(), host.bundle), ("dev", Some("cap".into())));
        assert_eq!(parse("").unwrap(), Options::for_target("host").unwrap());
        assert!(parse("--target aarch64 --aravis").unwrap().aravis && parse("--aravis --test").is_err());
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        for (wrong, right) in [
            ("--target mips", "[possible values: aarch64, host]"),
            ("--for windows", "[possible values: jetpack5, bookworm]"),
            ("--profile", "'--profile <profile>'"),
            ("now", "'now'"),
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains(right) && error.contains("--help"), "{wrong}: {error}");
        }
    }
}
