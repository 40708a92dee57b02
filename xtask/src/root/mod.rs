//! Debian roots for a board's processor, and a sandbox for running programs in them.
//!
//! The sandbox has its own mount namespace and only loopback as network, so mounts, registrations and listening sockets vanish with
//! its last program. Programs for another processor are run by qemu-user, registered through binfmt_misc.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::cache::{self, Cache};
use crate::{shell, system};

/// The Debian release on the boards.
pub const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "deb http://deb.debian.org/debian-security bookworm-security main";
/// Prepares the sandbox and executes the program in it.
const ENTER: &str = include_str!("enter.sh");

/// The required programs and their Debian packages.
const PROGRAMS: [(&str, &str); 4] = [
    ("mmdebstrap", "mmdebstrap"),
    // mmdebstrap uses it to check that the processor's programs can run.
    ("arch-test", "arch-test"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("unshare", "util-linux"),
];

/// Checks the requirements for a root: root privileges, programs, and a kernel with binfmt_misc.
pub fn ensure_possible() -> Result<()> {
    ensure!(
        system::is_root(),
        "only root can make a Debian root for a board; run this with `sudo -E env PATH=\"$PATH\" cargo xtask …`, or in a \
         container"
    );
    system::ensure_programs(&PROGRAMS)?;
    ensure!(
        shell::succeeds(&mut sandboxed(false, "true", &[])),
        "can't create a sandbox with binfmt_misc; in a container, run it with --privileged"
    );
    Ok(())
}

/// Returns a command that runs a program in a sandbox; `online` leaves it this machine's network.
pub fn sandboxed(online: bool, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--mount-proc"]);
    if !online {
        command.arg("--net");
    }
    command.args(["sh", "-c", ENTER, "enter", program]).args(arguments);
    command
}

/// Returns a cached root as a tar file, which is made if it is missing. `name` describes its purpose, `packages` are its packages
/// beyond the minimum, and `prepare` is a shell command run on the root (`$1`) before they are installed.
pub fn tar(cache: &Cache, name: &str, debian: &str, packages: &[&str], prepare: &str) -> Result<PathBuf> {
    let place = cache.path(&format!("root-{name}-{debian}"));
    let file = place.join("root.tar");
    let include = packages.join(",");
    // A root made last month lacks this month's fixes, but the tests here don't depend on them.
    let stamp = format!("{SUITE} {debian} {include}{prepare}");
    if !cache::is_installed(&place, &stamp) {
        println!("making a Debian {SUITE} root for {debian}; this takes minutes the first time");
        let begin = Instant::now();
        cache::install(&place, &stamp, |part| make(&part.join("root.tar"), debian, &include, prepare))?;
        println!("made the root in {:.0} s", begin.elapsed().as_secs_f32());
    }
    Ok(file)
}

fn make(file: &Path, debian: &str, include: &str, prepare: &str) -> Result<()> {
    let (file, architecture) = (file.to_string_lossy(), format!("--arch={debian}"));
    let mut arguments = vec!["--quiet", "--mode=root", "--variant=minbase", &architecture];
    let include = format!("--include={include}");
    if include != "--include=" {
        arguments.push(&include);
    }
    let prepare = format!("--essential-hook={prepare}");
    if prepare != "--essential-hook=" {
        arguments.push(&prepare);
    }
    arguments.extend([SUITE, &file, MIRROR, SECURITY]);
    shell::run(&mut sandboxed(true, "mmdebstrap", &arguments))
}

/// Unpacks a root into an empty folder.
pub fn unpack(tar: &Path, folder: &Path) -> Result<()> {
    shell::run(Command::new("tar").arg("--extract").arg("--file").arg(tar).arg("--directory").arg(folder))
}
