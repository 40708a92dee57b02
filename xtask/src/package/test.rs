//! Tests the package in a Debian root for its processor: installs, upgrades, removes and purges it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::field;
use crate::cache::Cache;
use crate::{root, shell, workspace};

/// The script that runs in the root; it stops at the first failure.
const IN_ROOT: &str = include_str!("in-root.sh");
/// The services' units.
const UNITS: [&str; 4] = [
    "edge-runtime/packaging/nominal.service",
    "edge-runtime/packaging/nominal-capture@.service",
    "gateway/packaging/nominal-gateway.service",
    "capture-aravis/packaging/nominal-capture-aravis@.service",
];

/// Runs the test; the root is deleted afterwards.
pub fn run(package: &Path) -> Result<()> {
    for unit in UNITS {
        verify_unit(&workspace::root()?, unit)?;
    }
    root::ensure_possible()?;
    let begin = Instant::now();
    let tar = root::tar(&Cache::open()?, "least", &field(package, "Architecture")?, &[], "")?;
    let folder = tempfile::tempdir().context("can't make a folder for the root")?;
    root::unpack(&tar, folder.path())?;
    std::fs::copy(package, folder.path().join("nominal.deb"))
        .with_context(|| format!("can't copy {}", package.display()))?;
    std::fs::write(folder.path().join("in-root.sh"), IN_ROOT).context("can't write into the root")?;
    let folder = folder.path().to_string_lossy();
    shell::run(&mut root::sandboxed(false, "chroot", &[&folder, "/bin/sh", "/in-root.sh"]))?;
    println!("installed, upgraded, removed and purged in {:.0} s", begin.elapsed().as_secs_f32());
    Ok(())
}

/// Checks the unit with systemd's own tools.
fn verify_unit(root: &Path, source: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("can't make a folder for the unit")?;
    let (_, name) = source.rsplit_once('/').context("the unit has no folder")?;
    let unit = std::fs::read_to_string(root.join(source)).context("can't read the service's unit")?;
    // The program needn't be installed on this machine.
    let programs = ["/usr/bin/edge-runtime", "/usr/bin/nominal-gateway", "/usr/bin/nominal-capture-aravis"];
    let unit = programs.iter().fold(unit, |unit, program| unit.replace(program, "/bin/true"));
    let path = folder.path().join(name);
    std::fs::write(&path, unit).context("can't write the unit")?;
    crate::system::ensure_programs(&[("systemd-analyze", "systemd")])?;
    let problems = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        // Of a template, an instance.
        .arg(folder.path().join(name.replace('@', "@top")))
        .output()
        .context("can't start systemd-analyze")?;
    let said = String::from_utf8_lossy(&problems.stderr);
    anyhow::ensure!(
        problems.status.success() && said.trim().is_empty(),
        "systemd reports problems with the unit: {said}"
    );
    // The threshold is in tenths; 0 is a fully confined service, 10 an unconfined one.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=yes", "--no-pager", "--threshold=15"]).arg(&path);
    let said = shell::output(&mut security)?;
    println!("{}", said.lines().last().unwrap_or_default().trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest memory of the boards in the documentation.
    const BOARD_MB: u32 = 1024;

    #[test]
    fn the_service_has_room_for_what_the_readme_promises_and_leaves_some_to_the_board() {
        let root = workspace::root().unwrap();
        let unit = std::fs::read_to_string(root.join("edge-runtime/packaging/nominal.service")).unwrap();
        let (_, share) = unit.split_once("\nMemoryMax=").expect("the unit has no MemoryMax");
        let share: u32 = share.split_once("%\n").unwrap().0.parse().unwrap();
        let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
        let row = readme.lines().find(|line| line.starts_with("| memory of a running line at most")).unwrap();
        let promised: u32 =
            row.rsplit('|').nth(1).unwrap().trim().strip_suffix(" MB").unwrap().parse().unwrap();
        assert!(BOARD_MB * share / 100 >= 3 * promised, "{share} % of {BOARD_MB} MB, {promised} MB promised");
        assert!(share <= 75, "{share} % leaves the board too little memory");
        // It would throttle the gate.
        assert!(!unit.contains("\nMemoryHigh="));
    }
}
