//! `cargo xtask release`: builds what people download into `dist`, for those who have no Rust.
//!
//! | file | contents |
//! |---|---|
//! | `options` | the command line |
//! | `build` | builds the programs, without a trace of the machine that they are built on |
//! | `tree` | stages programs, manual, completions and documents |
//! | `archive` | tar archives and Debian packages, equal to the byte if their contents are |
//! | `requirements` | what the programs need of the system |
//! | `checksums` | SHA-256 of everything, and their signature |
//! | `reproduce` | builds twice in two folders and compares |
//! | `test` | installs in a bare Debian root and goes from photos to verdicts |

mod archive;
mod build;
mod checksums;
mod options;
mod reproduce;
mod requirements;
mod test;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::package::{self, Elf, Linked};
use crate::{cache, cross, libtorch, shell, workspace};
use build::Builder;
use tree::Tree;

pub use options::{Options, command};

/// The target triple of workstations.
pub const HOST: &str = "x86_64-unknown-linux-gnu";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Part of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `trainer` with the fitted methods: one static program.
    Trainer,
    /// `trainer` with libtorch beside it.
    TrainerLibtorch,
    /// `edge-runtime` and `gateway` for x86-64.
    X86,
    /// `edge-runtime` and `gateway` for 64-bit ARM.
    Arm,
}

impl Part {
    /// All parts, with their names on the command line.
    pub const ALL: [(&'static str, Self); 4] = [
        ("trainer", Self::Trainer),
        ("trainer-libtorch", Self::TrainerLibtorch),
        ("x86-64", Self::X86),
        ("aarch64", Self::Arm),
    ];
}

/// Builds the parts, writes checksums, and signs and tests them if requested.
pub fn run(options: &Options) -> Result<()> {
    if options.verify_reproducible {
        return reproduce::run(options);
    }
    let root = workspace::root()?;
    let out = options.out.clone().unwrap_or_else(|| root.join("dist"));
    fs::create_dir_all(&out).with_context(|| format!("can't make the folder {}", out.display()))?;
    if options.parts.len() == Part::ALL.len() {
        // Files of another version must not be mistaken for this one's.
        checksums::remove_release(&out)?;
    }
    let stage = workspace::target_folder()?.join("release-stage");
    cache::remove(&stage)?;
    let builder = Builder::new(&root)?;
    let release = Release { root, out, stage, builder, profile: options.profile.clone() };
    let mut signer = None;
    for part in &options.parts {
        match part {
            Part::Trainer => signer = Some(release.trainer()?),
            Part::TrainerLibtorch => release.trainer_with_libtorch()?,
            Part::X86 => release.board(HOST, "x86_64")?,
            Part::Arm => release.board(cross::TARGET, "aarch64")?,
        }
    }
    checksums::write(&release.out, options.key.as_deref(), signer.as_deref())?;
    if options.test {
        test::run(&release.out, &options.parts)?;
    }
    println!("{}:", release.out.display());
    for path in checksums::files(&release.out)? {
        let bytes = path.metadata().map_or(0, |found| found.len());
        println!(
            "  {:<60} {:>7.1} MB",
            path.file_name().unwrap_or_default().to_string_lossy(),
            bytes as f64 / 1e6
        );
    }
    Ok(())
}

/// A release that is being made.
struct Release {
    root: PathBuf,
    out: PathBuf,
    stage: PathBuf,
    builder: Builder,
    profile: Option<String>,
}

impl Release {
    /// Makes the trainer without libtorch, and returns the program.
    fn trainer(&self) -> Result<PathBuf> {
        let arguments = ["--package", "trainer", "--no-default-features"];
        let profile = self.profile.as_deref().unwrap_or("release");
        let program = self.builder.program(HOST, "trainer", &arguments, true, profile)?;
        let tree = self.tree("nominal-trainer", &program, &arguments, &[])?;
        tree.manual("trainer", &Elf::read(&program)?)?;
        self.pack(
            &tree,
            "trainer without libtorch: the fitted methods",
            "Recommends: ca-certificates\n",
            "amd64",
        )?;
        Ok(program)
    }

    /// Makes the trainer with libtorch beside it.
    fn trainer_with_libtorch(&self) -> Result<()> {
        let arguments = ["--package", "trainer"];
        let profile = self.profile.as_deref().unwrap_or("release");
        let program = self.builder.program(HOST, "trainer", &arguments, false, profile)?;
        let tree = self.tree("nominal-trainer-libtorch", &program, &arguments, &libtorch::COMPONENTS)?;
        let libraries = tree.path("lib/nominal-trainer");
        let libtorch = libtorch::folder(&self.root)?;
        tree::copy_folder(&libtorch.join("lib"), &libraries)?;
        // Only the linker reads it.
        cache::remove(&libraries.join("libtorch.so"))?;
        tree::copy_folder(
            &libtorch.join("licenses"),
            &tree.path("share/doc/nominal-trainer-libtorch/licenses"),
        )?;
        // It finds libtorch only now.
        tree.manual("trainer", &Elf::read(&program)?)?;
        requirements::check(&tree.files("bin")?)?;
        requirements::check(&tree.files("lib/nominal-trainer")?)?;
        let fields = "Depends: libc6 (>= 2.36), libgcc-s1, libstdc++6 (>= 12)\nRecommends: ca-certificates\n\
                      Provides: nominal-trainer\nConflicts: nominal-trainer\nReplaces: nominal-trainer\n";
        self.pack(&tree, "trainer with libtorch: the fitted and the trained methods", fields, "amd64")
    }

    /// Makes the programs for a board or an industrial PC.
    fn board(&self, triple: &'static str, processor: &str) -> Result<()> {
        let profile = self.profile.as_deref().unwrap_or("device");
        let features = ["--package", "edge-runtime", "--features", package::FEATURES];
        let line = self.builder.program(triple, "edge-runtime", &features, true, profile)?;
        let gateway = self.builder.program(triple, "gateway", &["--package", "gateway"], true, profile)?;
        let options = package::Options::for_programs(triple, &line, profile)?;
        let package = package::pack(&options, "1")?;
        self.keep(&package)?;
        let bill = package.with_extension("cdx.json");
        let name = format!("nominal-{VERSION}-linux-{processor}");
        let tree = Tree::new(&self.stage, &name)?;
        for (program, name) in [(&line, "edge-runtime"), (&gateway, "nominal-gateway")] {
            let elf = Elf::read(program)?;
            anyhow::ensure!(elf.is_static(), "{} is not statically linked; report this", program.display());
            tree.program(program, name, &elf)?;
            tree.manual(name, &elf)?;
        }
        tree.documents(&self.root, "nominal")?;
        tree.board_files(&self.root)?;
        package::write_notices(
            &self.root,
            &Linked::board(triple, true),
            &tree.path("share/doc/nominal/third-party.txt"),
        )?;
        tree.copy(&bill, "share/doc/nominal/sbom.cdx.json")?;
        archive::tar_gz(&tree, &self.out.join(format!("{name}.tar.gz")))?;
        cache::copy(&bill, &self.out.join(format!("{name}.cdx.json")))
    }

    /// Stages a trainer.
    fn tree(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        components: &[package::Component],
    ) -> Result<Tree> {
        let folder = format!("{name}-{VERSION}-linux-x86_64");
        let tree = Tree::new(&self.stage, &folder)?;
        let elf = Elf::read(program)?;
        if components.is_empty() {
            anyhow::ensure!(elf.is_static(), "{} is not statically linked; report this", program.display());
        }
        tree.program(program, "trainer", &elf)?;
        tree.documents(&self.root, name)?;
        let linked =
            Linked { programs: "trainer", arguments, triple: HOST, is_static: elf.is_static(), components };
        package::write_notices(
            &self.root,
            &linked,
            &tree.path(&format!("share/doc/{name}/third-party.txt")),
        )?;
        let bill = tree.path(&format!("share/doc/{name}/sbom.cdx.json"));
        package::write_bill(&self.root, &linked, &bill)?;
        cache::copy(&bill, &self.out.join(format!("{folder}.cdx.json")))?;
        Ok(tree)
    }

    /// Packs a staged trainer as an archive and as a Debian package.
    fn pack(&self, tree: &Tree, summary: &str, fields: &str, debian: &str) -> Result<()> {
        let (package, _) =
            tree.name().split_once(&format!("-{VERSION}-")).context("the tree has no version")?;
        archive::tar_gz(tree, &self.out.join(format!("{}.tar.gz", tree.name())))?;
        let control = archive::Control { package, version: VERSION, architecture: debian, summary, fields };
        archive::debian(
            tree,
            &control,
            &self.stage,
            &self.out.join(format!("{package}_{VERSION}_{debian}.deb")),
        )
    }

    fn keep(&self, file: &Path) -> Result<()> {
        let name = file.file_name().context("the package has no name")?;
        cache::copy(file, &self.out.join(name))
    }
}

/// Returns the time that files are dated, in seconds since 1970: `SOURCE_DATE_EPOCH` if it is set, else that of the commit.
pub fn source_date(root: &Path) -> Result<u64> {
    if let Some(given) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let text = given.to_string_lossy();
        return text
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH is {text}; set it to seconds since 1970"));
    }
    let mut log = std::process::Command::new("git");
    let printed = shell::output(log.current_dir(root).args(["log", "-1", "--format=%ct"]))
        .context("can't read the commit's date; set SOURCE_DATE_EPOCH to seconds since 1970")?;
    printed.trim().parse().context("git prints no date; set SOURCE_DATE_EPOCH to seconds since 1970")
}
