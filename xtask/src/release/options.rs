//! The command line of `cargo xtask release`.

use std::path::PathBuf;

use anyhow::Result;
use clap_light::{Arg, ArgAction, ArgMatches, Command};

use super::Part;
use crate::arguments::{flag, path, path_of, value_of};

/// What to make.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The parts, each once.
    pub parts: Vec<Part>,
    /// The folder for the results; `dist` by default.
    pub out: Option<PathBuf>,
    /// The minisign secret key that signs the checksums.
    pub key: Option<PathBuf>,
    /// The profile for all programs, for trying; by default `release` for trainers and `device` for boards.
    pub profile: Option<String>,
    /// Whether to install and try the results.
    pub test: bool,
    /// Whether to build twice in two folders and compare instead.
    pub verify_reproducible: bool,
}

/// Returns the command's description.
pub fn command() -> Command {
    let names = Part::ALL.map(|(name, _)| name);
    Command::new("release")
        .about(
            "Builds what people download into dist: the trainer with and without libtorch, the line's programs for x86-64 and\n\
             64-bit ARM, as tarballs and Debian packages, with checksums, bills of materials, licences, manual and completions.",
        )
        .args([
            Arg::new("only")
                .long("only")
                .value_name("PART")
                .value_parser(names)
                .action(ArgAction::Append)
                .help("Make only this part; may be repeated"),
            path("out", "FOLDER", "Write into this folder [default: dist]"),
            path("key", "FILE", "Sign the checksums with this secret key of minisign or `trainer key new`"),
            Arg::new("profile").long("profile").help("Build all programs with this profile, to try the command"),
            flag("test", "Install the results in a bare Debian root and go from photos to verdicts; needs root"),
            flag("verify-reproducible", "Build twice, in two folders, and compare every byte; writes nothing into dist")
                .conflicts_with_all(["key", "test", "out"]),
        ])
}

impl Options {
    /// Reads the command line.
    pub fn from(given: &ArgMatches) -> Result<Self> {
        let named: Vec<&String> = given.get_many("only").into_iter().flatten().collect();
        let is_chosen = |name: &str| named.is_empty() || named.iter().any(|given| *given == name);
        let parts = Part::ALL.iter().filter(|(name, _)| is_chosen(name)).map(|(_, part)| *part).collect();
        Ok(Self {
            parts,
            out: path_of(given, "out"),
            key: path_of(given, "key"),
            profile: value_of(given, "profile").map(str::to_owned),
            test: given.get_flag("test"),
            verify_reproducible: given.get_flag("verify-reproducible"),
        })
    }

    /// Returns the words of `--only` for these parts.
    pub fn only(&self) -> Vec<&'static str> {
        let chosen = Part::ALL.iter().filter(|(_, part)| self.parts.contains(part));
        chosen.flat_map(|(name, _)| ["--only", name]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        let words = std::iter::once("release").chain(line.split_whitespace());
        Options::from(&command().try_get_matches_from(words)?)
    }

    #[test]
    fn all_parts_are_made_unless_some_are_named() {
        let all = parse("").unwrap();
        assert_eq!(all.parts.len(), Part::ALL.len());
        let some = parse("--only aarch64 --only trainer --only aarch64 --key k --test").unwrap();
        assert_eq!(some.parts, [Part::Trainer, Part::Arm]);
        assert_eq!(some.only(), ["--only", "trainer", "--only", "aarch64"]);
        assert!(some.test && some.key == Some("k".into()));
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        let error = parse("--only windows").unwrap_err().to_string();
        assert!(error.contains("trainer-libtorch") && error.contains("aarch64"), "{error}");
        assert!(parse("--verify-reproducible --test").is_err());
    }
}
