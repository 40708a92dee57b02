//! SHA-256 of everything in a release, and their signature.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::tree::entries;
use crate::{cache, hash, shell};

const FILE: &str = "SHA256SUMS";
const SIGNATURE: &str = "SHA256SUMS.minisig";

/// Returns the files of a release, in order. Whatever else someone keeps in the folder is none of its business.
pub fn files(out: &Path) -> Result<Vec<PathBuf>> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && (name.starts_with("nominal") || name.starts_with(FILE))
    };
    let mut files = entries(out)?;
    files.retain(is_ours);
    Ok(files)
}

/// Removes a release from its folder.
pub fn remove_release(out: &Path) -> Result<()> {
    files(out)?.iter().try_for_each(|path| cache::remove(path))
}

/// Writes the checksums as `sha256sum --check` reads them, and signs them with the trainer's own command if a key is given.
pub fn write(out: &Path, key: Option<&Path>, trainer: Option<&Path>) -> Result<()> {
    let (path, signature) = (out.join(FILE), out.join(SIGNATURE));
    // The signature of other checksums would be worse than none.
    cache::remove(&signature)?;
    cache::remove(&path)?;
    let mut text = String::new();
    for file in files(out)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(text, "{}  {name}", hash::sha256(&file)?);
    }
    fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    let Some(key) = key else {
        println!(
            "{FILE} is not signed: checksums alone show damage, and not who made the files. Give --key FILE to sign them"
        );
        return Ok(());
    };
    let Some(trainer) = trainer else {
        bail!(
            "the release is not signed: the trainer signs it, and was not built. Give --only trainer too, or run \
             `minisign -S -s {} -m {}`",
            key.display(),
            path.display()
        )
    };
    // It asks for the key's password.
    shell::run(Command::new(trainer).arg("sign").arg(&path).arg("--key").arg(key))?;
    ensure!(signature.is_file(), "the trainer wrote no signature; report this");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_all_files_and_an_old_signature_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("nominal_b.deb", "abc"),
            ("nominal-a.tar.gz", ""),
            ("mine.txt", "x"),
            (SIGNATURE, "of another release"),
            (FILE, "old"),
        ] {
            fs::write(path(name), text).unwrap();
        }
        write(folder.path(), None, None).unwrap();
        assert!(!path(SIGNATURE).exists());
        let text = fs::read_to_string(path(FILE)).unwrap();
        assert_eq!(
            text,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  nominal-a.tar.gz\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  nominal_b.deb\n"
        );
        let check = |folder: &Path| {
            let mut sums = Command::new("sha256sum");
            shell::succeeds(sums.args(["--check", FILE]).current_dir(folder))
        };
        assert!(check(folder.path()));
        fs::write(path("nominal_b.deb"), "abd").unwrap();
        assert!(!check(folder.path()));
        remove_release(folder.path()).unwrap();
        assert_eq!(entries(folder.path()).unwrap(), [path("mine.txt")]);
        let error = write(folder.path(), Some(Path::new("office.key")), None).unwrap_err().to_string();
        assert!(error.contains("--only trainer") && error.contains("minisign -S -s office.key"), "{error}");
    }

    #[test]
    fn the_trainer_is_asked_to_sign_and_its_silence_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nominal-a"), "a").unwrap();
        let sign = |program: &str| write(folder.path(), Some(Path::new("k")), Some(Path::new(program)));
        assert!(sign("false").is_err());
        assert!(sign("true").unwrap_err().to_string().contains("no signature"));
    }
}
