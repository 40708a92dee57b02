//! The command line of `cargo xtask deploy`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// One paragraph of the help.
pub const HELP: &str = "\
  cargo xtask deploy HOST [--bundle DIR] [--line FILE] [--package DEB | --target aarch64|host] [--ssh-config FILE]
      Brings package, bundle and line file onto a board by ssh (as root, or as a user that sudo asks for no password),
      runs `edge-runtime doctor` and `check` there and restarts the line; what fails is rolled back. Without --package
      it packs anew, as `cargo xtask package --target aarch64` does.
  cargo xtask deploy --test --package DEB --bundle DIR
      Tries that out, failures included, with an ssh server on loopback and a Debian root; needs root.";

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
    pub target: &'static str,
    /// For `ssh -F`.
    pub ssh_config: Option<PathBuf>,
}

impl Options {
    /// From the words behind `deploy`; `None` where the deploying itself is to be tested.
    pub fn parse(words: &[&str]) -> Result<Option<Self>> {
        if words.first() == Some(&"--test") {
            return Ok(None);
        }
        let mut options = Self {
            host: String::new(),
            bundle: None,
            line: None,
            package: None,
            target: "aarch64",
            ssh_config: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match *word {
                "--bundle" => options.bundle = Some(value()?.into()),
                "--line" => options.line = Some(value()?.into()),
                "--package" => options.package = Some(value()?.into()),
                "--ssh-config" => options.ssh_config = Some(value()?.into()),
                "--target" => {
                    options.target = match *value()? {
                        "aarch64" => "aarch64",
                        "host" => "host",
                        other => bail!("--target {other} is not known; give aarch64 or host"),
                    }
                }
                host if !host.starts_with('-') && options.host.is_empty() => options.host = host.to_owned(),
                other => bail!("`{other}` is not understood\n\n{HELP}"),
            }
        }
        if options.host.is_empty() {
            bail!("which board? Give its name as ssh takes it\n\n{HELP}");
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_needed_and_cannot_be_an_option_for_ssh() {
        let parse = |line: &str| Options::parse(&line.split_whitespace().collect::<Vec<_>>());
        let options = parse("pi@board --bundle cap --line line.toml").unwrap().unwrap();
        assert_eq!((options.host.as_str(), options.target), ("pi@board", "aarch64"));
        assert!(
            parse("--bundle cap").is_err() && parse("-oProxyCommand=x").is_err() && parse("a b").is_err()
        );
        assert_eq!(parse("--test --package x").unwrap(), None);
    }
}
