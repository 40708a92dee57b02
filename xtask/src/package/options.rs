//! The command line of `cargo xtask package`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// One paragraph of the help.
pub const HELP: &str = "\
  cargo xtask package [--target aarch64|host] [--profile PROFILE] [--program FILE] [--for jetpack5|bookworm]
                      [--test [--bundle DIR]]
      Builds edge-runtime (profile `device` unless said otherwise) and packs it as target/package/nominal_*.deb with
      service, line file and documents. --program packs a program that was built elsewhere. --for says how old a system
      may be: JetPack 5 (glibc 2.31; the default for boards) or Debian and Raspberry Pi OS bookworm (2.36; the default
      for this host). --test then installs, upgrades, removes and purges it in a Debian root of the package's
      processor, which needs root and a few more Debian packages; with a bundle, and where the processor is this host's, it
      also lets a systemd of its own run the service: killed, standing still, upgraded, without rights.";

/// What to pack.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Rust's name of the board's platform; this host's where there is none.
    pub triple: Option<&'static str>,
    /// Cargo's profile.
    pub profile: String,
    /// A program that is built already.
    pub program: Option<PathBuf>,
    /// The oldest system.
    pub oldest: Oldest,
    /// Whether the package is tested.
    pub test: bool,
    /// A bundle for testing the service.
    pub bundle: Option<PathBuf>,
}

/// The oldest system that the package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oldest {
    /// JetPack 5, which is Ubuntu 20.04.
    Jetpack5,
    /// Debian and Raspberry Pi OS 12.
    Bookworm,
}

impl Options {
    /// From the words behind `package`.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            triple: None,
            profile: "device".to_owned(),
            program: None,
            oldest: Oldest::Bookworm,
            test: false,
            bundle: None,
        };
        let mut oldest = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match *word {
                "--test" => options.test = true,
                "--profile" => options.profile = (*value()?).to_owned(),
                "--bundle" => options.bundle = Some(PathBuf::from(value()?)),
                "--program" => options.program = Some(PathBuf::from(value()?)),
                "--target" => {
                    options.triple = match *value()? {
                        "aarch64" => Some("aarch64-unknown-linux-gnu"),
                        "host" => None,
                        other => bail!("--target {other} is not known; give aarch64 or host"),
                    }
                }
                "--for" => {
                    oldest = Some(match *value()? {
                        "jetpack5" => Oldest::Jetpack5,
                        "bookworm" => Oldest::Bookworm,
                        other => bail!("--for {other} is not known; give jetpack5 or bookworm"),
                    });
                }
                other => bail!("`{other}` is not understood\n\n{HELP}"),
            }
        }
        let usual = if options.triple.is_some() { Oldest::Jetpack5 } else { Oldest::Bookworm };
        options.oldest = oldest.unwrap_or(usual);
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_s_package_is_for_old_systems_unless_said_otherwise() {
        let parse = |line: &str| Options::parse(&line.split_whitespace().collect::<Vec<_>>());
        let board = parse("--target aarch64").unwrap();
        assert_eq!((board.oldest, board.profile.as_str(), board.test), (Oldest::Jetpack5, "device", false));
        assert_eq!(parse("--target aarch64 --for bookworm").unwrap().oldest, Oldest::Bookworm);
        let host = parse("--target host --program x --test --profile dev").unwrap();
        assert_eq!((host.oldest, host.triple, host.test), (Oldest::Bookworm, None, true));
        for wrong in ["--target mips", "--for windows", "--profile", "now"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
