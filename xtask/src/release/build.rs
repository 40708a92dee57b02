//! Builds the programs of a release: from the lock file, and without a trace of the machine that they are built on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cross::{self, Cross};
use crate::{shell, system, workspace};

/// Where the trainer finds libtorch: beside itself.
const RPATH: &str = "$ORIGIN/../lib/nominal-trainer";
/// Linked with the C library inside.
const STATIC: &str = "-Ctarget-feature=+crt-static";

/// Builds programs in a checkout.
pub struct Builder {
    root: PathBuf,
    target: PathBuf,
    /// Paths of this machine, and what programs name instead.
    prefixes: Vec<(PathBuf, &'static str)>,
}

impl Builder {
    /// Prepares building.
    pub fn new(root: &Path) -> Result<Self> {
        let target = workspace::target_folder()?;
        let cargo = workspace::cargo_home()?;
        // Where several fit, rustc takes the last: the target folder may lie in the checkout.
        let prefixes = vec![
            (cargo.join("registry/src"), "/cargo"),
            (root.to_owned(), "/nominal"),
            (target.clone(), "/nominal/target"),
        ];
        Ok(Self { root: root.to_owned(), target, prefixes })
    }

    /// Builds a program and returns its path. `arguments` name its package and features.
    pub fn program(
        &self,
        triple: &str,
        name: &str,
        arguments: &[&str],
        is_static: bool,
        profile: &str,
    ) -> Result<PathBuf> {
        let mut build = if triple == cross::TARGET {
            Cross::set_up()?.plain("build")
        } else {
            if arguments.contains(&"edge-runtime") {
                // V4L2's bindings are generated with it.
                system::ensure_packages(&["libclang-dev"])?;
            }
            let mut cargo = workspace::cargo(&self.root);
            cargo.args(["build", "--target", triple]);
            cargo
        };
        build.args(["--locked", "--profile", profile]).args(arguments);
        self.forget_this_machine(&mut build, is_static);
        println!("$ {}", shell::line(&build, Some(&self.root)));
        shell::run(&mut build)?;
        let folder = if profile == "dev" { "debug" } else { profile };
        let program = self.target.join(triple).join(folder).join(name);
        ensure!(program.is_file(), "the build didn't produce {}", program.display());
        Ok(program)
    }

    /// Makes a build the same wherever it runs. With `--target`, the flags don't reach build scripts.
    fn forget_this_machine(&self, build: &mut Command, is_static: bool) {
        let rust =
            self.prefixes.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
        let flags: Vec<String> = is_static.then(|| STATIC.to_owned()).into_iter().chain(rust).collect();
        build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        // The flags of C compilers are separated by spaces.
        let c: Vec<String> = self
            .prefixes
            .iter()
            .map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()))
            .filter(|flag| !flag.contains(' '))
            .collect();
        for variable in ["TARGET_CFLAGS", "TARGET_CXXFLAGS"] {
            build.env(variable, c.join(" "));
        }
        build.env("NOMINAL_LIBTORCH_RPATH", RPATH).env("CARGO_INCREMENTAL", "0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_machine_are_replaced_and_the_innermost_comes_last() {
        let builder = Builder {
            root: "/home/me/nominal".into(),
            target: "/home/me/nominal/target".into(),
            prefixes: vec![
                ("/home/me/.cargo/registry/src".into(), "/cargo"),
                ("/home/me/my work".into(), "/nominal"),
            ],
        };
        let mut build = Command::new("cargo");
        builder.forget_this_machine(&mut build, true);
        let value = |name: &str| {
            let (_, value) = build.get_envs().find(|(key, _)| *key == name).unwrap();
            value.unwrap().to_string_lossy().into_owned()
        };
        assert_eq!(
            value("CARGO_ENCODED_RUSTFLAGS"),
            "-Ctarget-feature=+crt-static\u{1f}--remap-path-prefix=/home/me/.cargo/registry/src=/cargo\u{1f}\
             --remap-path-prefix=/home/me/my work=/nominal"
        );
        assert_eq!(value("TARGET_CFLAGS"), "-ffile-prefix-map=/home/me/.cargo/registry/src=/cargo");
    }
}
