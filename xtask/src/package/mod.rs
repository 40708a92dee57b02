//! `cargo xtask package`: makes the Debian package for a board, with programs, services, line file and documents.
//!
//! | file | contents |
//! |---|---|
//! | `options` | the command line |
//! | `aravis` | the package of `capture-aravis` |
//! | `bill_of_materials` | the software bill of materials, in CycloneDX |
//! | `elf` | a program's system requirements |
//! | `stage` | staging program and line file for packing |
//! | `notices` | the licences of everything linked into the program |
//! | `tool` | packing with `cargo-deb` |
//! | `test` | tests the package in a Debian root for the board's processor |
//! | `service_test` | tests the service under a separate systemd |

mod aravis;
mod bill_of_materials;
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
use stage::StagedFiles;

pub use elf::Elf;
pub use notices::{Component, FEATURES, Linked, write as write_notices, write_bill};
pub use options::{Options, TARGETS, command};
pub use test::run as test;

/// Maximum size of the stripped program, because updates go over whatever network the factory has.
const PROGRAM_MB: f64 = 18.0;
/// The same for the gateway.
const GATEWAY_MB: f64 = 12.0;

/// Makes the package, and tests it if requested.
pub fn run(options: &Options) -> Result<()> {
    if options.aravis {
        let package = aravis::pack(options)?;
        println!("{}", package.display());
        return Ok(());
    }
    let package = pack(options, "1")?;
    if options.test {
        test::run(&package)?;
        match &options.bundle {
            Some(bundle) if field(&package, "Architecture")? == elf::host()? => {
                service_test::run(&package, bundle)?
            }
            Some(_) => {
                println!("the service was not tested: that needs a package for this host's processor")
            }
            None => println!("the service was not tested; give --bundle"),
        }
    }
    Ok(())
}

/// Makes the package for a target with the default settings.
pub fn pack_for(target: &str) -> Result<PathBuf> {
    pack(&Options::for_target(target)?, "1")
}

/// Builds the program unless one is given, and packs it. `revision` distinguishes packages of one version.
pub fn pack(options: &Options, revision: &str) -> Result<PathBuf> {
    let root = workspace::root()?;
    let target = workspace::target_folder()?;
    let programs = match &options.program {
        Some(program) => Programs { gateway: program.with_file_name("gateway"), line: program.clone() },
        // One after the other: built together, each would get the other's features of common packages.
        None => Programs {
            line: build("edge-runtime", options, &root, &target)?,
            gateway: build("gateway", options, &root, &target)?,
        },
    };
    ensure!(
        programs.gateway.is_file(),
        "{} is missing; build it with `cargo build --package gateway`, with the same profile and target",
        programs.gateway.display()
    );
    let elf = Elf::read(&programs.line)?;
    let gateway = Elf::read(&programs.gateway)?;
    let out = target.join("package");
    let stage = stage::fill(&out.join("stage"), &root, &programs, &elf)?;
    let package = tool::pack(&root, &stage, options, &elf, revision, &out)?;
    // Beside the package too, for whoever has to keep it on record without unpacking.
    let bill = package.with_extension("cdx.json");
    std::fs::copy(&stage.bill, &bill).with_context(|| format!("can't write {}", bill.display()))?;
    report(&package, &stage, [&elf, &gateway])?;
    println!("  materials      {}", bill.display());
    Ok(package)
}

/// The programs to be packed.
pub struct Programs {
    /// `edge-runtime`.
    pub line: PathBuf,
    /// `gateway`, installed as `nominal-gateway`.
    pub gateway: PathBuf,
}

/// Builds one of the board's programs, which are linked statically for it.
fn build(name: &str, options: &Options, root: &Path, target: &Path) -> Result<PathBuf> {
    build_with(name, options, root, target, true)
}

fn build_with(name: &str, options: &Options, root: &Path, target: &Path, is_static: bool) -> Result<PathBuf> {
    let mut folder = target.to_path_buf();
    let mut build = match options.triple {
        Some(triple) => {
            folder.push(triple);
            let cross = Cross::set_up()?;
            if is_static { cross.standalone_program(name) } else { cross.cargo("build", &[name]) }
        }
        None => {
            let mut build = workspace::cargo(root);
            build.args(["build", "--package", name]);
            if name == "edge-runtime" {
                build.args(["--features", notices::FEATURES]);
            }
            build
        }
    };
    build.args(["--profile", &options.profile]);
    println!("$ {}", shell::line(&build, Some(root)));
    shell::run(&mut build)?;
    // Cargo's only exception: the profile `dev` builds into `debug`.
    let profile = if options.profile == "dev" { "debug" } else { &options.profile };
    Ok(folder.join(profile).join(name))
}

/// Reports the package, and fails if its program needs a newer C library than the package declares.
fn report(package: &Path, stage: &StagedFiles, elves: [&Elf; 2]) -> Result<()> {
    let mega = |path: &Path| -> Result<f64> {
        let bytes =
            path.metadata().with_context(|| format!("can't read the size of {}", path.display()))?.len();
        Ok(bytes as f64 / 1e6)
    };
    let depends = field(package, "Depends")?;
    let promised = elf::promised_glibc(&depends)
        .with_context(|| format!("{} doesn't depend on libc6 (>= VERSION): {depends}", package.display()))?;
    let needed = elves[0].glibc.max(elves[1].glibc);
    ensure!(
        needed <= promised,
        "the programs need the C library {needed}, but the package declares {promised}. Build the program for an older system, or \
         pack it for newer ones with --for bookworm"
    );
    println!("{}: {:.1} MB", package.display(), mega(package)?);
    for (name, program, target) in
        [("program", &stage.program, PROGRAM_MB), ("gateway", &stage.gateway, GATEWAY_MB)]
    {
        let size = mega(program)?;
        let above = if size > target { format!(", above the target of {target} MB") } else { String::new() };
        println!("  {name:<14} {size:.1} MB stripped{above}");
    }
    println!("  processor      {}", elves[0].debian);
    println!("  C library      {needed} or later needed, {promised} declared");
    Ok(())
}

/// Returns a field of a package's control file.
pub fn field(package: &Path, name: &str) -> Result<String> {
    let mut command = Command::new("dpkg-deb");
    shell::output(command.arg("--field").arg(package).arg(name)).map(|text| text.trim().to_owned())
}
