//! `cargo xtask image`: makes a card or disk image with Debian, the package and a text file of settings, and tests it on an emulated
//! board.
//!
//! | file | contents |
//! |---|---|
//! | `options` | the command line |
//! | `settings` | the boot partition's settings file, with line file, bundles and key |
//! | `system` | the root: Debian, the package and additional files for a card |
//! | `disk` | partitions and file systems in a file, without loop devices |
//! | `board` | the emulated board (QEMU) |
//! | `test` | tests that the image boots to a running line, applies its settings and accepts deployments |

mod board;
mod disk;
#[cfg(test)]
mod first_boot_tests;
mod options;
mod settings;
mod system;
mod test;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::cache::Cache;
use crate::{package, root, workspace};
pub use options::{Options, command};

/// Makes the image, and tests it if requested.
pub fn run(options: &Options) -> Result<()> {
    root::ensure_possible()?;
    crate::system::ensure_programs(&disk::PROGRAMS)?;
    let package = match &options.package {
        Some(package) => package.clone(),
        None => package::pack_for("aarch64")?,
    };
    let architecture = package::field(&package, "Architecture")?;
    ensure!(
        architecture == "arm64",
        "{} is for {architecture}, but the image is for arm64 boards; give a package built with --target aarch64",
        package.display()
    );
    let image = options.out.clone().map_or_else(default_image, Ok)?;
    if !options.made {
        make(&image, &package, options)?;
    }
    if options.test {
        test::run(&image, &package)?;
    }
    Ok(())
}

fn make(image: &Path, package: &Path, options: &Options) -> Result<()> {
    let begin = Instant::now();
    let tar = root::tar(&Cache::open()?, "board", "arm64", &system::PACKAGES, system::PREPARE)?;
    let folder = image.parent().context("the image's path has no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
    let work = tempfile::tempdir_in(folder).context("can't make a temporary folder")?;
    let (system, boot) = (work.path().join("root"), work.path().join("boot"));
    system::fill(&system, &boot, &tar, package)?;
    settings::write(&boot, options)?;
    let part = work.path().join("image");
    disk::write(&part, &boot, &system)?;
    crate::cache::rename(&part, image)?;
    let megabytes = image.metadata().context("can't read the image's size")?.len() / 1_000_000;
    println!("{}: {megabytes} MB, made in {:.0} s", image.display(), begin.elapsed().as_secs_f32());
    println!("  write it to a card:  dd if={} of=/dev/CARD bs=4M conv=fsync", image.display());
    Ok(())
}

fn default_image() -> Result<PathBuf> {
    Ok(workspace::target_folder()?.join("image/nominal-arm64.img"))
}
