//! Packing with `cargo-deb`, which is built once from crates.io and kept in the cache.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::elf::Elf;
use super::options::{Oldest, Options};
use super::stage::StagedFiles;
use crate::cache::{self, Cache};
use crate::{release, shell, workspace};

const VERSION: &str = "3.8.0";

/// Packs the staged files, and returns the package's path.
pub fn pack(
    root: &Path,
    stage: &StagedFiles,
    options: &Options,
    elf: &Elf,
    revision: &str,
    out: &Path,
) -> Result<PathBuf> {
    let variant = (options.oldest == Oldest::Bookworm).then_some("bookworm");
    pack_crate(root, ("edge-runtime", variant), &stage.target, (elf.triple, revision), out)
}

/// Packs the files that are staged in `target` for a crate with such a package in its manifest.
pub fn pack_crate(
    root: &Path,
    (name, variant): (&str, Option<&str>),
    target: &Path,
    (triple, revision): (&str, &str),
    out: &Path,
) -> Result<PathBuf> {
    let tool = ensure(root)?;
    // The last line of its output is the package's path.
    let mut command = std::process::Command::new(tool);
    command.current_dir(root).env("CARGO_TARGET_DIR", target);
    // Equal programs make equal packages, where the date of the sources is known.
    if let Ok(date) = release::source_date(root) {
        command.env("SOURCE_DATE_EPOCH", date.to_string());
    }
    command.args(["--package", name, "--no-build", "--no-strip", "--no-dbgsym", "--quiet"]);
    command.args(["--target", triple, "--deb-revision", revision, "--output"]).arg(out);
    command.args(variant.map(|variant| ["--variant", variant]).into_iter().flatten());
    let printed = shell::output(&mut command)?;
    let package = printed.lines().last().map(PathBuf::from).context("cargo-deb printed no package")?;
    Ok(package)
}

/// Returns the tool, which is built if it is missing.
fn ensure(root: &Path) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let place = cache.path("cargo-deb");
    if !cache::is_installed(&place, VERSION) {
        println!("building cargo-deb {VERSION} from crates.io; this takes a minute or two the first time");
        let begin = Instant::now();
        cache::install(&place, VERSION, |part| {
            let mut install = workspace::cargo(root);
            install.args(["install", "--locked", "--quiet", "cargo-deb", "--version", VERSION, "--root"]);
            shell::run(install.arg(part))
        })?;
        println!("built cargo-deb in {:.0} s", begin.elapsed().as_secs_f32());
    }
    Ok(place.join("bin/cargo-deb"))
}
