//! `cargo xtask package`: the Debian package for a board: program, service, line file, documents.
//!
//! | file | what it holds |
//! |---|---|
//! | `options` | the command line |
//! | `elf` | what a program asks of its system |
//! | `stage` | program and line file, as they will lie in the package |
//! | `notices` | the licences of what is linked into the program |
//! | `tool` | `cargo-deb`, which packs |
//! | `test` | installing, upgrading, removing and purging in a Debian root of the board's processor |
//! | `service_test` | the service under a systemd of its own |

mod elf;
mod notices;
mod options;
mod service_test;
mod stage;
mod test;
mod tool;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cross::Cross;
use crate::{shell, workspace};
use elf::Elf;
pub use options::{Options, TARGETS, command};

/// What the program may weigh, stripped: a board's update goes over whatever network the factory has.
const PROGRAM_MB: f64 = 18.0;

/// Packs, and tests the package where that is asked for.
pub fn run(options: &Options) -> Result<()> {
    let package = pack(options, "1")?;
    if options.test {
        test::run(&package)?;
        match &options.bundle {
            Some(bundle) if field(&package, "Architecture")? == elf::host()? => {
                service_test::run(&package, bundle)?
            }
            Some(_) => {
                println!("the service was not tried: systemd runs on the package's own processor only")
            }
            None => println!("the service was not tried: give --bundle"),
        }
    }
    Ok(())
}

/// Packs for a target with the usual settings.
pub fn pack_for(target: &str) -> Result<PathBuf> {
    pack(&Options::for_target(target)?, "1")
}

/// Builds the program unless it is given, and packs it. `revision` tells packages of one version apart.
pub fn pack(options: &Options, revision: &str) -> Result<PathBuf> {
    let root = workspace::root()?;
    let target = workspace::target_folder()?;
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build(options, &root, &target)?,
    };
    let elf = Elf::read(&program)?;
    let out = target.join("package");
    let stage = stage::fill(&out.join("stage"), &root, &program, &elf)?;
    let package = tool::pack(&root, &stage, options, &elf, revision, &out)?;
    report(&package, &stage.program, &elf)?;
    Ok(package)
}

fn build(options: &Options, root: &Path, target: &Path) -> Result<PathBuf> {
    let mut folder = target.to_path_buf();
    let mut build = match options.triple {
        Some(triple) => {
            folder.push(triple);
            Cross::set_up()?.standalone_program("edge-runtime")
        }
        None => {
            let mut build = workspace::cargo(root);
            build.args(["build", "--package", "edge-runtime", "--features", notices::FEATURES]);
            build
        }
    };
    build.args(["--profile", &options.profile]);
    println!("$ {}", shell::line(&build, Some(root)));
    shell::run(&mut build)?;
    // Cargo's one exception: the profile `dev` builds into `debug`.
    let profile = if options.profile == "dev" { "debug" } else { &options.profile };
    Ok(folder.join(profile).join("edge-runtime"))
}

/// Says what was made, and fails where the package promises less of the C library than its program asks for.
fn report(package: &Path, program: &Path, elf: &Elf) -> Result<()> {
    let mega = |path: &Path| -> Result<f64> {
        let bytes = path.metadata().with_context(|| format!("can't look at {}", path.display()))?.len();
        Ok(bytes as f64 / 1e6)
    };
    let depends = field(package, "Depends")?;
    let promised = elf::promised_glibc(&depends)
        .with_context(|| format!("{} names no libc6 (>= VERSION): {depends}", package.display()))?;
    ensure!(
        elf.glibc <= promised,
        "the program asks for the C library {}, and the package promises that {promised} will do. Build it for an older \
         system, or pack it for newer ones with --for bookworm",
        elf.glibc
    );
    let size = mega(program)?;
    println!("{}: {:.1} MB", package.display(), mega(package)?);
    println!(
        "  program        {size:.1} MB stripped{}",
        if size > PROGRAM_MB { format!(", more than the {PROGRAM_MB} MB aimed at") } else { String::new() }
    );
    println!("  processor      {}", elf.debian);
    println!("  C library      {} or later needed, {promised} promised", elf.glibc);
    Ok(())
}

/// A field of a package's description.
pub fn field(package: &Path, name: &str) -> Result<String> {
    let mut command = Command::new("dpkg-deb");
    shell::output(command.arg("--field").arg(package).arg(name)).map(|text| text.trim().to_owned())
}
