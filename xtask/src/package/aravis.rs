//! Packs `capture-aravis`: a package of its own, because it needs Aravis, which the line's programs must do without.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::elf::{Elf, Glibc};
use super::notices::{self, Linked};
use super::options::Options;
use super::{build_with, tool};
use crate::{cache, shell, workspace};

const NAME: &str = "capture-aravis";
/// The C library that the package's manifest declares: that of bookworm, whose Aravis it loads.
const PROMISED: Glibc = Glibc(2, 36);

/// Builds the program and makes the package.
pub fn pack(options: &Options) -> Result<PathBuf> {
    let (root, target) = (workspace::root()?, workspace::target_folder()?);
    // It loads Aravis when it starts, which a statically linked program can't.
    let program = build_with(NAME, options, &root, &target, false)?;
    let elf = Elf::read(&program)?;
    ensure!(
        !elf.is_static() && elf.glibc <= PROMISED,
        "the program needs the C library {}, and the package declares {PROMISED}; build it on Debian 12",
        elf.glibc
    );
    let out = target.join("package");
    let stage = out.join("stage-aravis");
    cache::remove(&stage)?;
    let release = stage.join(elf.triple).join("release");
    fs::create_dir_all(&release).with_context(|| format!("can't make the folder {}", release.display()))?;
    let stripped = release.join("nominal-capture-aravis");
    shell::run(Command::new(elf.strip).arg("-o").arg(&stripped).arg(&program))
        .with_context(|| format!("can't strip the program with {}", elf.strip))?;
    let linked = Linked {
        programs: "nominal-capture-aravis",
        arguments: &["--package", NAME],
        triple: elf.triple,
        is_static: false,
        components: &[],
    };
    notices::write(&root, &linked, &release.join("third-party.txt"))?;
    tool::pack_crate(&root, (NAME, None), &stage, (elf.triple, "1"), &out)
}
