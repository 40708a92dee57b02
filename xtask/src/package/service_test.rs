//! Tests the service under a separate systemd, in a Debian root and a sandbox on this machine.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::field;
use crate::cache::Cache;
use crate::{root, shell};

const BOOT: &str = include_str!("boot.sh");
const IN_SYSTEMD: &str = include_str!("in-systemd.sh");
/// The root's packages beyond the minimum.
const PACKAGES: [&str; 3] = ["systemd-sysv", "procps", "adduser"];
/// The unit that runs the test once systemd is up, and then ends systemd.
const UNIT: &str = "[Unit]\nSuccessAction=exit-force\nFailureAction=exit-force\n[Service]\nExecStart=/bin/sh /in-systemd.sh\n\
                    StandardOutput=file:/log\nStandardError=inherit\nRuntimeMaxSec=300\n";
/// A line file that needs no devices.
const LINE: &str = r#"
name = "test"
stdout = false
[[product]]
name = "spot"
bundle = "/var/lib/nominal/bundles/spot"
[camera]
source = "pattern"
width = 64
height = 64
fps = 10
[trigger]
kind = "interval"
every_ms = 500
[gate]
delay_ms = 400
pulse_ms = 50
[health]
state = "/var/lib/nominal/state"
every_s = 1
"#;

/// Runs the test; the root is deleted afterwards.
pub fn run(package: &Path, bundle: &Path) -> Result<()> {
    let begin = Instant::now();
    let tar = root::tar(&Cache::open()?, "systemd", &field(package, "Architecture")?, &PACKAGES, "")?;
    let folder = tempfile::tempdir().context("can't make a folder for the root")?;
    let place = folder.path();
    root::unpack(&tar, place)?;
    shell::run(Command::new("cp").arg("-r").arg(bundle).arg(place.join("bundle")))?;
    std::fs::copy(package, place.join("nominal.deb"))
        .with_context(|| format!("can't copy {}", package.display()))?;
    let units = place.join("etc/systemd/system");
    let wants = units.join("multi-user.target.wants");
    std::fs::create_dir_all(&wants)
        .and_then(|()| std::fs::write(place.join("line.toml"), LINE))
        .and_then(|()| std::fs::write(place.join("in-systemd.sh"), IN_SYSTEMD))
        .and_then(|()| std::fs::write(units.join("nominal-test.service"), UNIT))
        .and_then(|()| {
            std::os::unix::fs::symlink("../nominal-test.service", wants.join("nominal-test.service"))
        })
        .context("can't write into the root")?;
    let group = format!("nominal-test-{}", std::process::id());
    let root = place.to_string_lossy();
    // systemd's exit status is meaningless; the test writes a file at its end if it passed.
    let ended = root::sandboxed(false, "sh", &["-c", BOOT, "boot", &root, &group]).status();
    forget_groups(&group);
    ended.context("can't start a sandbox")?;
    print!("{}", std::fs::read_to_string(place.join("log")).unwrap_or_default());
    ensure!(place.join("passed").is_file(), "the service failed its test; see its output above");
    println!(
        "service killed, hung, upgraded and purged under systemd in {:.0} s",
        begin.elapsed().as_secs_f32()
    );
    Ok(())
}

/// Removes the test's control groups, which the kernel keeps even when they are empty.
fn forget_groups(group: &str) {
    let all = "find /sys/fs/cgroup -depth -type d -path \"*/$1*\" -exec rmdir {} + 2>/dev/null";
    let _ = Command::new("sh").args(["-c", all, "forget", group]).status();
}
