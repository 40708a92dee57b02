//! Builds a release twice, from two clones in two folders, and compares every byte.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Options, checksums, source_date};
use crate::{hash, libtorch, shell, workspace};

/// Runs the builds and compares them. Only what is committed is built.
pub fn run(options: &Options) -> Result<()> {
    let root = workspace::root()?;
    let date = source_date(&root)?.to_string();
    let place = tempfile::tempdir().context("can't make a folder for the builds")?;
    // Of different lengths: a path that is left in a program also moves what follows it.
    let places = ["a", "b/in/a/longer/path"].map(|name| place.path().join(name));
    let libtorch = libtorch::folder(&root);
    for folder in &places {
        let checkout = folder.join("nominal");
        println!("building in {}", folder.display());
        shell::run(
            Command::new("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(&root).arg(&checkout),
        )?;
        let mut cargo = workspace::cargo(&checkout);
        cargo.args(["xtask", "release", "--out"]).arg(folder.join("dist")).args(options.only());
        if let Some(profile) = &options.profile {
            cargo.args(["--profile", profile]);
        }
        cargo.env("CARGO_TARGET_DIR", folder.join("target")).env("SOURCE_DATE_EPOCH", &date);
        cargo.env_remove("CARGO_MANIFEST_DIR");
        if let Ok(libtorch) = &libtorch {
            cargo.env("LIBTORCH", libtorch);
        }
        shell::run(&mut cargo)?;
    }
    let [a, b] = places;
    compare(&a.join("dist"), &b.join("dist"))?;
    println!("both builds are equal to the byte");
    Ok(())
}

/// Compares two releases, and names all files that differ.
fn compare(a: &Path, b: &Path) -> Result<()> {
    let names = |folder: &Path| -> Result<Vec<_>> {
        Ok(checksums::files(folder)?
            .iter()
            .map(|path| path.file_name().unwrap_or_default().to_owned())
            .collect())
    };
    let files = names(a)?;
    ensure!(!files.is_empty(), "the builds made nothing; report this");
    ensure!(files == names(b)?, "the builds made different files: {files:?} and {:?}", names(b)?);
    let mut different = vec![];
    for name in files {
        if hash::sha256(&a.join(&name))? != hash::sha256(&b.join(&name))? {
            different.push(name.to_string_lossy().into_owned());
        }
    }
    if !different.is_empty() {
        bail!("the two builds differ in {}; compare them with diffoscope", different.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_difference_is_named() {
        let place = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| place.path().join(name));
        for folder in [&a, &b] {
            fs::create_dir(folder).unwrap();
        }
        assert!(compare(&a, &b).is_err(), "nothing was built");
        for folder in [&a, &b] {
            for name in ["nominal_x.deb", "nominal-y.tar.gz"] {
                fs::write(folder.join(name), name).unwrap();
            }
        }
        compare(&a, &b).unwrap();
        fs::write(b.join("nominal-y.tar.gz"), "y.tar.gy").unwrap();
        assert!(compare(&a, &b).unwrap_err().to_string().contains("differ in nominal-y.tar.gz;"));
        fs::remove_file(b.join("nominal_x.deb")).unwrap();
        assert!(compare(&a, &b).unwrap_err().to_string().contains("different files"));
    }
}
