//! The command line of `cargo xtask image`.

use std::path::PathBuf;

use anyhow::Result;
use clap_light::{Arg, ArgAction, ArgMatches, Command};

use crate::arguments::{flag, path, path_of, paths_of, value_of};

const ABOUT: &str = "\
Writes a card or disk image for an arm64 board with UEFI: Debian, the package (built for aarch64 unless given) and a
boot partition with nominal.txt, which sets name, key, line file and bundles and can be edited on any computer.
--test boots a copy on an emulated board (QEMU) with a camera and checks that the line runs; --test-only does that
with an existing image. Needs root.";

/// Returns the command's arguments and help.
pub fn command() -> Command {
    Command::new("image").about(ABOUT).args([
        path("package", "FILE", "The package [default: built now]"),
        Arg::new("hostname").long("hostname").value_name("NAME").help("The board's name"),
        path("ssh-key", "FILE", "A public key that may log in"),
        path("line", "FILE", "The line file"),
        path("bundle", "FOLDER", "A bundle; may be repeated").action(ArgAction::Append),
        path("out", "FILE", "The image file [default: in target/image]"),
        flag("test", "Boot a copy on an emulated board").conflicts_with("test-only"),
        flag("test-only", "Like --test, with an existing image"),
    ])
}

/// What goes into the image.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The package; built if not given.
    pub package: Option<PathBuf>,
    /// The board's name.
    pub hostname: Option<String>,
    /// A public key that may log in.
    pub ssh_key: Option<PathBuf>,
    /// The line file.
    pub line: Option<PathBuf>,
    /// Bundle folders.
    pub bundles: Vec<PathBuf>,
    /// The image file.
    pub out: Option<PathBuf>,
    /// Whether the image is tested.
    pub test: bool,
    /// Whether the image already exists.
    pub made: bool,
}

impl Options {
    /// Reads the command line.
    pub fn from(given: &ArgMatches) -> Result<Self> {
        let made = given.get_flag("test-only");
        Ok(Self {
            package: path_of(given, "package"),
            hostname: value_of(given, "hostname").map(str::to_owned),
            ssh_key: path_of(given, "ssh-key"),
            line: path_of(given, "line"),
            bundles: paths_of(given, "bundle"),
            out: path_of(given, "out").map(std::path::absolute).transpose()?,
            test: made || given.get_flag("test"),
            made,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words = std::iter::once("image").chain(line.split_whitespace());
        Options::from(&command().try_get_matches_from(words)?)
    }

    #[test]
    fn all_bundles_are_taken() {
        let options = parse("--bundle a --test --bundle b").unwrap();
        assert_eq!(options.bundles, [PathBuf::from("a"), PathBuf::from("b")]);
        assert!(options.test && !options.made && options.package.is_none());
        let options = parse("--test-only --out card.img").unwrap();
        assert!(options.test && options.made && options.out.unwrap().is_absolute());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (wrong, named) in
            [("--fast", "--fast"), ("--bundle", "--bundle <FOLDER>"), ("card.img", "card.img")]
        {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("--help"), "{error}");
        }
    }
}
