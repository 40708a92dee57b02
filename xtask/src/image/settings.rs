//! The boot partition's settings file, and the files it names.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Options;
use crate::shell;

/// The settings file with only the board's name set; its comments explain the keys.
const TEMPLATE: &str = include_str!("files/nominal.txt");

/// Writes `nominal.txt`, and copies the files it names beside it.
pub fn write(boot: &Path, options: &Options) -> Result<()> {
    let mut text = TEMPLATE.to_owned();
    if let Some(name) = &options.hostname {
        text = with(&text, "hostname", std::slice::from_ref(name))?;
    }
    if let Some(key) = &options.ssh_key {
        let key = fs::read_to_string(key).with_context(|| format!("can't read {}", key.display()))?;
        ensure!(
            key.starts_with("ssh-") || key.starts_with("ecdsa-"),
            "--ssh-key needs a public key; give the .pub file"
        );
        text = with(&text, "ssh_key", &[key.trim().to_owned()])?;
    }
    if let Some(line) = &options.line {
        fs::copy(line, boot.join("line.toml")).with_context(|| format!("can't copy {}", line.display()))?;
        text = with(&text, "line", &["line.toml".to_owned()])?;
    }
    let mut bundles = vec![];
    for bundle in &options.bundles {
        let name = bundle.file_name().with_context(|| format!("{} has no name", bundle.display()))?;
        ensure!(bundle.join("model.threshold").is_file(), "{} is not a bundle folder", bundle.display());
        fs::create_dir_all(boot.join("bundles")).context("can't make the folder of bundles")?;
        shell::run(Command::new("cp").arg("-r").arg(bundle).arg(boot.join("bundles").join(name)))?;
        bundles.push(format!("bundles/{}", name.to_string_lossy()));
    }
    if !bundles.is_empty() {
        text = with(&text, "bundle", &bundles)?;
    }
    fs::write(boot.join("nominal.txt"), text).context("can't write nominal.txt")
}

/// Replaces the line of this key, or its commented-out example, by lines with these values.
pub fn with(text: &str, key: &str, values: &[String]) -> Result<String> {
    let is_it = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key} ="));
    ensure!(
        text.lines().filter(|line| is_it(line)).count() == 1,
        "nominal.txt must have exactly one line `{key} =`"
    );
    let lines = text.lines().map(|line| {
        if is_it(line) {
            values.iter().map(|value| format!("{key} = {value}\n")).collect()
        } else {
            format!("{line}\n")
        }
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_become_settings() {
        let text = with(TEMPLATE, "bundle", &["bundles/a".to_owned(), "bundles/b".to_owned()]).unwrap();
        assert!(text.contains("\nbundle = bundles/a\nbundle = bundles/b\n"), "{text}");
        assert!(!text.contains("bundles/cap\n"));
        let text = with(&text, "hostname", &["line-7".to_owned()]).unwrap();
        assert!(text.contains("\nhostname = line-7\n") && !text.contains("hostname = nominal"));
        assert!(with(&text, "colour", &[]).is_err());
    }

    #[test]
    fn a_private_key_and_a_folder_that_is_no_bundle_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("id");
        fs::write(&key, "-----BEGIN OPENSSH PRIVATE KEY-----").unwrap();
        let options = Options { ssh_key: Some(key), ..Options::default() };
        assert!(write(folder.path(), &options).unwrap_err().to_string().contains("public key"));
        let options = Options { bundles: vec![folder.path().to_path_buf()], ..Options::default() };
        assert!(write(folder.path(), &options).unwrap_err().to_string().contains("not a bundle folder"));
    }
}
