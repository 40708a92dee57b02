//! The command line of `cargo xtask image`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// One paragraph of the help.
pub const HELP: &str = "\
  cargo xtask image [--package FILE] [--hostname NAME] [--ssh-key FILE] [--line FILE] [--bundle FOLDER]… [--out FILE]
                    [--test | --test-only]
      Writes an image for a card or disk of an arm64 board with UEFI: Debian, the package (made for aarch64 unless it
      is given) and a boot partition with nominal.txt, which says name, key, line file and bundles and can be changed in
      any computer. --test boots a copy on an emulated board (QEMU) with a camera, and looks whether the line runs;
      --test-only does that with an image made before. Needs root.";

/// What goes into the image.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The package; made unless given.
    pub package: Option<PathBuf>,
    /// The board's name.
    pub hostname: Option<String>,
    /// A public key that may log in.
    pub ssh_key: Option<PathBuf>,
    /// The line file.
    pub line: Option<PathBuf>,
    /// Bundle folders.
    pub bundles: Vec<PathBuf>,
    /// Where the image goes.
    pub out: Option<PathBuf>,
    /// Whether the image is tested.
    pub test: bool,
    /// Whether it is there already.
    pub made: bool,
}

impl Options {
    /// From the words behind `image`.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match *word {
                "--test" => options.test = true,
                "--test-only" => (options.test, options.made) = (true, true),
                "--package" => options.package = Some(value()?.into()),
                "--hostname" => options.hostname = Some((*value()?).to_owned()),
                "--ssh-key" => options.ssh_key = Some(value()?.into()),
                "--line" => options.line = Some(value()?.into()),
                "--bundle" => options.bundles.push(value()?.into()),
                "--out" => options.out = Some(std::path::absolute(value()?)?),
                other => bail!("`{other}` is not understood\n\n{HELP}"),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bundles_are_taken_and_unknown_words_refused() {
        let options = Options::parse(&["--bundle", "a", "--test", "--bundle", "b"]).unwrap();
        assert_eq!(options.bundles, [PathBuf::from("a"), PathBuf::from("b")]);
        assert!(options.test && options.package.is_none());
        assert!(Options::parse(&["--bundle"]).is_err());
        assert!(Options::parse(&["--fast"]).unwrap_err().to_string().contains("`--fast` is not understood"));
    }
}
