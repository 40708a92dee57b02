//! A Debian root of a board's processor, and a private place to run programs in it.
//!
//! The place is a mount name space of its own with loopback as its only network: what is mounted, registered or listened
//! to there is gone with the last program in it. Programs for another processor run by qemu-user, which the kernel is
//! told by binfmt_misc.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::cache::{self, Cache};
use crate::{shell, system};

/// Debian's release on the boards.
pub const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "deb http://deb.debian.org/debian-security bookworm-security main";
/// Prepares the place and becomes the program that is to run there.
const ENTER: &str = include_str!("enter.sh");

/// What has to be installed for any of this.
const PROGRAMS: [(&str, &str); 4] = [
    ("mmdebstrap", "mmdebstrap"),
    // By which mmdebstrap sees that the processor's programs run.
    ("arch-test", "arch-test"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("unshare", "util-linux"),
];

/// Looks that there is what a root needs: this user's rights, programs, a kernel that can tell processors apart.
pub fn ensure_possible() -> Result<()> {
    ensure!(
        system::is_root(),
        "a Debian root for a board is made by root only: run this by `sudo -E env PATH=\"$PATH\" cargo xtask …`, or in a \
         container"
    );
    system::ensure_programs(&PROGRAMS)?;
    ensure!(
        shell::succeeds(&mut private(false, "true", &[])),
        "the kernel gives no private place with binfmt_misc (in a container: run it with --privileged)"
    );
    Ok(())
}

/// A program in a private place; `online` leaves it this machine's network.
pub fn private(online: bool, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--mount-proc"]);
    if !online {
        command.arg("--net");
    }
    command.args(["sh", "-c", ENTER, "enter", program]).args(arguments);
    command
}

/// A kept root as a tar file, made where it is missing. `name` says what it is for, `packages` what it has beyond the
/// least, `prepare` is a shell command on the root (`$1`) before those are installed.
pub fn tar(cache: &Cache, name: &str, debian: &str, packages: &[&str], prepare: &str) -> Result<PathBuf> {
    let place = cache.path(&format!("root-{name}-{debian}"));
    let file = place.join("root.tar");
    let include = packages.join(",");
    // A root of last month lacks this month's corrections; what is tested here does not depend on them.
    let stamp = format!("{SUITE} {debian} {include}{prepare}");
    if !cache::is_installed(&place, &stamp) {
        println!("making a Debian {SUITE} root for {debian}; this takes minutes, once");
        let begin = Instant::now();
        cache::install(&place, &stamp, |part| make(&part.join("root.tar"), debian, &include, prepare))?;
        println!("the root is made: {:.0} s", begin.elapsed().as_secs_f32());
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
    shell::run(&mut private(true, "mmdebstrap", &arguments))
}

/// Unpacks a root into an empty folder.
pub fn unpack(tar: &Path, folder: &Path) -> Result<()> {
    shell::run(Command::new("tar").arg("--extract").arg("--file").arg(tar).arg("--directory").arg(folder))
}
