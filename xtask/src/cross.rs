//! `cargo xtask cross`: the crates that run on the board, built for 64-bit ARM and tested under QEMU's user emulation.
//!
//! `cross test` does the same for users with Docker, see `Cross.toml`; this needs Debian's packages only.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{shell, system, workspace};

/// What the board runs.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";
/// The crates that run there. The others need libtorch, or a workstation.
const CRATES: [&str; 7] =
    ["shared-format", "kernels", "judge", "networks", "bundle", "methods", "edge-runtime"];
/// A linker and a C compiler, the C library to link and to run with, the emulator, and what V4L2's bindings are made by.
const PACKAGES: [&str; 5] =
    ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "libc6:arm64", "libclang-dev", "qemu-user"];
/// Rust with a standard library for the board, where this machine's own Rust has none.
const RUST_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev:arm64"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Runs programs for the board on this machine.
pub const EMULATOR: &str = "qemu-aarch64";

/// A cargo that builds for the board.
pub struct Cross {
    root: PathBuf,
    debians_rust: bool,
}

impl Cross {
    /// Installs what is missing.
    pub fn set_up() -> Result<Self> {
        let root = workspace::root()?;
        let debians_rust = !has_own_target(&root);
        system::ensure_packages(&PACKAGES)?;
        if debians_rust {
            system::ensure_packages(&RUST_PACKAGES)?;
        }
        Ok(Self { root, debians_rust })
    }

    /// `cargo SUBCOMMAND` for the board's crates and processor.
    pub fn cargo(&self, subcommand: &str, crates: &[&str]) -> Command {
        let mut cargo = workspace::cargo(&self.root);
        if self.debians_rust {
            cargo = Command::new(DEBIAN_CARGO);
            cargo.current_dir(&self.root).env("RUSTC", DEBIAN_RUSTC).env_remove("RUSTUP_TOOLCHAIN");
        }
        // What only tests and workstations need stays out of the board's program.
        let features = match subcommand {
            "test" => "edge-runtime/camera,edge-runtime/nokhwa",
            _ => "edge-runtime/camera",
        };
        cargo.args([subcommand, "--target", TARGET, "--features", features]);
        cargo.args(crates.iter().flat_map(|name| ["--package", name]));
        // Whoever has another linker for boards has set it.
        let linker = target_variable("LINKER");
        if env::var_os(&linker).is_none() {
            cargo.env(linker, "aarch64-linux-gnu-gcc");
        }
        // Without `-L`: a second C library beside libc6:arm64's lets the first thread spin for ever.
        cargo.env(target_variable("RUNNER"), EMULATOR);
        // Tests that start programs of this project start them by it.
        cargo.env("NOMINAL_EMULATOR", EMULATOR);
        cargo.env("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc");
        let headers = "-I/usr/aarch64-linux-gnu/include";
        cargo.env("BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu", headers);
        // Nobody debugs these programs; without, they are a fifth in size.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "none");
        cargo
    }

    /// `cargo build` of a program that needs no C library on the board: one that is linked with this machine's would ask
    /// for one as new, which JetPack 5 (glibc 2.31) doesn't have.
    pub fn standalone_program(&self, name: &str) -> Command {
        let mut cargo = self.cargo("build", &[name]);
        cargo.env(target_variable("RUSTFLAGS"), "-C target-feature=+crt-static");
        cargo
    }

    /// Builds the board's programs as the tests use them, and returns their folder.
    pub fn programs(&self) -> Result<PathBuf> {
        // The same crates as for the tests: another selection would build tract once more.
        shell::run(self.cargo("test", &CRATES).args(["--no-run", "--quiet"]))?;
        let folder = target_folder()?.join(TARGET).join("debug");
        let program = folder.join("edge-runtime");
        ensure!(program.is_file(), "the build left no {}", program.display());
        Ok(folder)
    }
}

/// Tests by a part of their name that the emulation can't run: it lacks a call that serial ports need.
const NEED_SERIAL_PORT: [&str; 3] = ["link::serial::tests", "line::a_serial_peer", "losses::"];

/// Builds and tests, with the arguments for `cargo test`; the exit code is cargo's.
pub fn run(arguments: &[OsString]) -> Result<ExitCode> {
    let cross = Cross::set_up()?;
    let mut cargo = cross.cargo("test", &CRATES);
    // All but the documents' examples: the host runs those, and rustdoc would have to be Debian's, too.
    cargo.arg("--all-targets");
    let at = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    cargo.args(&arguments[..at]).arg("--");
    for tests in NEED_SERIAL_PORT {
        println!(
            "SKIPPED: {tests}: no serial ports under user emulation; `cargo xtask board` has a real one"
        );
        cargo.args(["--skip", tests]);
    }
    cargo.args(arguments.iter().skip(at + 1));
    println!("$ {}", shell::line(&cargo, None));
    let status = cargo.status().context("can't start cargo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Cargo's variable for a setting of the board's target.
fn target_variable(name: &str) -> String {
    format!("CARGO_TARGET_{}_{name}", TARGET.replace('-', "_").to_uppercase())
}

/// Whether this machine's Rust can build for the board, as after `rustup target add`.
fn has_own_target(root: &Path) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.current_dir(root).args(["--print", "target-libdir", "--target", TARGET]);
    let folder = rustc.output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    folder.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// The folder of all build output; this program lies in a folder in it.
fn target_folder() -> Result<PathBuf> {
    let release = workspace::release_folder()?;
    Ok(release.parent().context("the target folder has no parent")?.to_path_buf())
}
