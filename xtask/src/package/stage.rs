//! Stages program, line file and third-party licences for packing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Programs;
use super::elf::Elf;
use super::notices::{self, Linked};
use crate::{cache, shell};

/// The staged files.
pub struct StagedFiles {
    /// The folder that cargo-deb uses as target folder.
    pub target: PathBuf,
    /// The stripped program in this folder.
    pub program: PathBuf,
    /// The stripped gateway in this folder.
    pub gateway: PathBuf,
    /// The software bill of materials in this folder.
    pub bill: PathBuf,
}

/// The differences of the service's line file from one that `edge-runtime init` writes: the paths of bundles and state, and that parts
/// aren't logged to the journal.
const CHANGES: [(&str, &str); 5] = [
    (
        "# Check it with `edge-runtime check line.toml`, start it with `edge-runtime run line.toml`.",
        "# Check it with `edge-runtime check /etc/nominal/line.toml`, then `systemctl restart nominal`.\n\
         # Bundles belong in /var/lib/nominal/bundles; while that is empty, the service is skipped.",
    ),
    ("stdout = true", "stdout = false"),
    ("bundle = \"bundles/cap\"", "bundle = \"/var/lib/nominal/bundles/cap\""),
    ("#folder = \"records\"", "folder = \"/var/lib/nominal/records\""),
    ("#state = \"state\"", "state = \"/var/lib/nominal/state\""),
];

/// Clears and fills the folder.
pub fn fill(folder: &Path, root: &Path, programs: &Programs, elf: &Elf) -> Result<StagedFiles> {
    cache::remove(folder)?;
    let release = folder.join(elf.triple).join("release");
    fs::create_dir_all(&release).with_context(|| format!("can't make the folder {}", release.display()))?;
    let strip = |program: &Path, name: &str| -> Result<PathBuf> {
        let stripped = release.join(name);
        shell::run(Command::new(elf.strip).arg("-o").arg(&stripped).arg(program)).with_context(|| {
            format!(
                "can't strip the program with {}; install Debian's binutils for {}",
                elf.strip, elf.debian
            )
        })?;
        Ok(stripped)
    };
    let program = strip(&programs.line, "edge-runtime")?;
    let gateway = strip(&programs.gateway, "nominal-gateway")?;
    fs::copy(root.join("gateway/src/config/template.toml"), release.join("gateway.toml"))
        .context("can't copy the gateway file's template")?;
    let template = root.join("edge-runtime/src/line_file/template.toml");
    let text = fs::read_to_string(&template).with_context(|| format!("can't read {}", template.display()))?;
    fs::write(release.join("line.toml"), line_file(&text)?)
        .with_context(|| format!("can't write into {}", release.display()))?;
    let (others, bill) = (release.join("third-party.txt"), release.join("sbom.cdx.json"));
    let linked = Linked::board(elf.triple, elf.is_static());
    notices::write(root, &linked, &others)?;
    notices::write_bill(root, &linked, &bill)?;
    for (program, name) in [(&program, "edge-runtime"), (&gateway, "nominal-gateway")] {
        write_manual(program, name, elf, &release)?;
    }
    Ok(StagedFiles { target: folder.to_path_buf(), program, gateway, bill })
}

/// Has a program write its manual and its completions.
fn write_manual(program: &Path, name: &str, elf: &Elf, release: &Path) -> Result<()> {
    let run = |arguments: &[&str]| shell::output(elf.runner(program)?.args(arguments));
    run(&["manual", &release.join("man").to_string_lossy()])?;
    for (shell, file) in
        [("bash", name.to_owned()), ("zsh", format!("_{name}")), ("fish", format!("{name}.fish"))]
    {
        let folder = release.join("completions").join(shell);
        fs::create_dir_all(&folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
        fs::write(folder.join(file), run(&["completions", shell])?)
            .with_context(|| format!("can't write into {}", folder.display()))?;
    }
    Ok(())
}

/// Derives the service's line file from the template.
fn line_file(template: &str) -> Result<String> {
    CHANGES.iter().try_fold(template.to_owned(), |text, (from, to)| {
        ensure!(
            text.matches(from).count() == 1,
            "the line file's template must contain {from:?} exactly once; update CHANGES in xtask/src/package/stage.rs"
        );
        Ok(text.replacen(from, to, 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_s_line_file_follows_from_the_template() {
        let template = include_str!("../../../edge-runtime/src/line_file/template.toml");
        let text = line_file(template).unwrap();
        assert!(text.contains("\nbundle = \"/var/lib/nominal/bundles/cap\"\n"));
        assert!(text.contains("\nstate = \"/var/lib/nominal/state\"\n"));
        assert!(line_file(&template.replace("stdout = true", "")).is_err());
    }
}
