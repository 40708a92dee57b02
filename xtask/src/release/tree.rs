//! Stages a release's files as they lie below `/usr`: programs, manual, completions and documents.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::package::Elf;
use crate::shell;

/// Documents at the root of the checkout.
const DOCUMENTS: [&str; 5] = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE"];
/// The shells, and where each looks for a program's completions.
const SHELLS: [(&str, &str, &str); 3] = [
    ("bash", "share/bash-completion/completions/", ""),
    ("zsh", "share/zsh/site-functions/_", ""),
    ("fish", "share/fish/vendor_completions.d/", ".fish"),
];

/// A staged folder.
pub struct Tree {
    folder: PathBuf,
    name: String,
}

impl Tree {
    /// Creates the folder `name` below `stage`; one of an earlier run is removed.
    pub fn new(stage: &Path, name: &str) -> Result<Self> {
        let folder = stage.join(name);
        cache::remove(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
        Ok(Self { folder, name: name.to_owned() })
    }

    /// Returns the folder's name, with which an archive's paths begin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a path in the folder, below which everything is made as needed.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the files in one of the folders, in order.
    pub fn files(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let mut files = entries(&self.path(folder))?;
        files.retain(|path| path.is_file());
        Ok(files)
    }

    /// Copies a file.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        cache::copy(from, &self.path(to))
    }

    /// Adds a stripped program.
    pub fn program(&self, program: &Path, name: &str, elf: &Elf) -> Result<()> {
        let place = self.path(&format!("bin/{name}"));
        make_parent(&place)?;
        shell::run(Command::new(elf.strip).arg("-o").arg(&place).arg(program)).with_context(|| {
            format!("can't strip the program; install Debian's binutils for {}", elf.debian)
        })?;
        fs::set_permissions(&place, Permissions::from_mode(0o755))
            .with_context(|| format!("can't make {} executable", place.display()))
    }

    /// Adds a staged program's manual and completions, which it prints itself: a program for another processor in the emulator.
    pub fn manual(&self, name: &str, elf: &Elf) -> Result<()> {
        let program = self.path(&format!("bin/{name}"));
        let run =
            |arguments: &[&str]| -> Result<String> { shell::output(elf.runner(&program)?.args(arguments)) };
        let pages = self.path("share/man/man1");
        fs::create_dir_all(&pages).with_context(|| format!("can't make the folder {}", pages.display()))?;
        run(&["manual", &pages.to_string_lossy()])?;
        for (shell, before, after) in SHELLS {
            let place = self.path(&format!("{before}{name}{after}"));
            make_parent(&place)?;
            fs::write(&place, run(&["completions", shell])?)
                .with_context(|| format!("can't write {}", place.display()))?;
        }
        Ok(())
    }

    /// Adds the documents of the checkout, for a package of this name.
    pub fn documents(&self, root: &Path, package: &str) -> Result<()> {
        for name in DOCUMENTS {
            self.copy(&root.join(name), &format!("share/doc/{package}/{name}"))?;
        }
        for path in entries(&root.join("docs"))? {
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                self.copy(&path, &format!("share/doc/{package}/docs/{name}"))?;
            }
        }
        Ok(())
    }

    /// Adds what a board's programs need beside them: the templates of their files, the services and the rules for devices.
    pub fn board_files(&self, root: &Path) -> Result<()> {
        for (from, to) in [
            ("edge-runtime/src/line_file/template.toml", "share/nominal/line.toml"),
            ("gateway/src/config/template.toml", "share/nominal/gateway.toml"),
            ("gateway/src/metrics/dashboard.json", "share/nominal/dashboard.json"),
            ("edge-runtime/packaging/nominal.service", "lib/systemd/system/nominal.service"),
            ("gateway/packaging/nominal-gateway.service", "lib/systemd/system/nominal-gateway.service"),
            ("gateway/packaging/nominal.tmpfiles", "lib/tmpfiles.d/nominal.conf"),
            ("edge-runtime/packaging/nominal.udev", "lib/udev/rules.d/60-nominal.rules"),
        ] {
            self.copy(&root.join(from), to)?;
        }
        Ok(())
    }
}

/// Copies a folder with everything in it. Links are followed.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("can't make the folder {}", to.display()))?;
    for path in entries(from)? {
        let place = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &place)?;
        } else {
            cache::copy(&path, &place)?;
        }
    }
    Ok(())
}

/// Returns a folder's entries, ordered by name.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("the path has no folder")?;
    fs::create_dir_all(parent).with_context(|| format!("can't make the folder {}", parent.display()))
}
