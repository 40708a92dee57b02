//! Wheels from the Python package registry, pinned by SHA-256.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::hash;
use crate::pip::Pip;

pub use wheels::Wheel;

/// Downloads the wheel and returns its path. A wheel left by an earlier run is used if it is intact.
pub fn fetch(wheel: &Wheel, cache: &Cache, pip: &Pip) -> Result<PathBuf> {
    let folder = cache.path("downloads");
    let place = folder.join(format!("{}-{}.whl", wheel.package, wheel.version));
    if place.exists() {
        if hash::sha256(&place)? == wheel.sha256 {
            println!("{} {} is already downloaded", wheel.package, wheel.version);
            return Ok(place);
        }
        cache::remove(&place)?;
    }
    let part = cache::with_suffix(&place, ".part");
    cache::remove(&part)?;
    fs::create_dir_all(&part).with_context(|| format!("can't make the folder {}", part.display()))?;
    println!("{}", wheel.announcement("pypi.org"));
    pip.download(&wheel.requirement(), &part)?;
    let found = only_wheel(&part)?;
    hash::check(&found, wheel.sha256)?;
    cache::rename(&found, &place)?;
    cache::remove(&part)?;
    Ok(place)
}

/// Downloads wheels and unpacks them into `folder` by rules (`name in the wheel=name below the folder`, see `unpack.py`).
pub fn unpack(wheels: &[(&Wheel, &[&str])], folder: &Path, cache: &Cache, pip: &Pip) -> Result<()> {
    for (wheel, rules) in wheels {
        let file = fetch(wheel, cache, pip)?;
        pip.unpack(&file, folder, rules)?;
    }
    Ok(())
}

/// Deletes the downloaded wheels once their files are installed.
pub fn forget(wheels: &[&Wheel], cache: &Cache) -> Result<()> {
    for wheel in wheels {
        cache::remove(&cache.path("downloads").join(format!("{}-{}.whl", wheel.package, wheel.version)))?;
    }
    Ok(())
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "whl") {
            wheels.push(path);
        }
    }
    match wheels.pop() {
        Some(wheel) if wheels.is_empty() => Ok(wheel),
        _ => bail!(
            "pip left no wheel, or more than one, in {}; delete that folder and run the command again",
            folder.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::shell;

    #[test]
    fn every_requirement_pins_a_version_and_a_hash() {
        let small = vec![&crate::teacher::TEACHER.wheel, &crate::samples::WHEEL];
        let steps = [crate::libtorch::wheels(), crate::checks::wheels(), small];
        for wheel in steps.iter().flatten() {
            let line = wheel.requirement();
            let (requirement, sha256) = line.trim_end().split_once(" --hash=sha256:").unwrap();
            assert!(requirement.contains("=="), "{line}");
            assert_eq!(sha256.len(), 64, "{line}");
            assert!(sha256.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()), "{line}");
            assert!(wheel.announcement("pypi.org").contains(wheel.licence), "{line}");
        }
    }

    const ABC: Wheel = Wheel {
        package: "abc",
        version: "1",
        what: "three letters",
        licence: "none",
        megabytes: 0.1,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    /// Creates a pip that writes this text as the wheel, into the folder given as its last argument.
    fn pip_that_brings(text: &str, folder: &Path) -> Pip {
        let script = folder.join("pip");
        let lines =
            format!("#!/bin/sh\nfor last; do :; done\nprintf {text} >\"$last/abc-1-py3-none-any.whl\"\n");
        // Let another process write it: a file that this one has open for writing, even if only in a child that another test is just
        // starting, can't be executed.
        let write = r#"printf %s "$1" >"$0" && chmod +x "$0""#;
        shell::run(Command::new("sh").args(["-c", write]).arg(&script).arg(lines)).unwrap();
        Pip::with_program(script)
    }

    #[test]
    fn a_corrupted_download_is_refused_and_the_next_run_starts_over() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(&folder.path().join("cache")).unwrap();
        let place = cache.path("downloads/abc-1.whl");

        let error = fetch(&ABC, &cache, &pip_that_brings("abd", folder.path())).unwrap_err().to_string();
        assert!(error.contains(ABC.sha256), "{error}");
        assert!(!place.exists());

        assert_eq!(fetch(&ABC, &cache, &pip_that_brings("abc", folder.path())).unwrap(), place);
        assert_eq!(fs::read_to_string(&place).unwrap(), "abc");
        assert_eq!(fs::read_dir(cache.path("downloads")).unwrap().count(), 1, "no folder is left over");

        let no_pip = Pip::with_program("no-such-program-here".into());
        assert_eq!(fetch(&ABC, &cache, &no_pip).unwrap(), place, "a whole wheel is not downloaded again");

        fs::write(&place, "ab").unwrap();
        assert!(fetch(&ABC, &cache, &no_pip).is_err(), "a damaged one is");
        assert_eq!(fetch(&ABC, &cache, &pip_that_brings("abc", folder.path())).unwrap(), place);

        forget(&[&ABC], &cache).unwrap();
        assert!(!place.exists());
    }

    #[test]
    fn a_folder_without_exactly_one_wheel_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(only_wheel(folder.path()).is_err());
        let wheel = folder.path().join("a-1-py3-none-any.whl");
        fs::write(&wheel, "").unwrap();
        fs::write(folder.path().join("requirements.txt"), "").unwrap();
        assert_eq!(only_wheel(folder.path()).unwrap(), wheel);
        fs::write(folder.path().join("b-1-py3-none-any.whl"), "").unwrap();
        assert!(only_wheel(folder.path()).is_err());
    }
}
