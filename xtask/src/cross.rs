//! `cargo xtask cross`: builds the board's crates for 64-bit ARM and tests them under QEMU's user emulation.
//!
//! `cross test` does the same for users with Docker, see `Cross.toml`; this command needs only Debian's packages.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{shell, system, workspace};

/// The board's target triple.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";
/// The crates that run on the board. The others need libtorch or a workstation.
const CRATES: [&str; 7] =
    ["shared-format", "kernels", "judge", "networks", "bundle", "methods", "edge-runtime"];
/// A linker and a C compiler, the C library for linking and running, the emulator, and libclang for generating V4L2's bindings.
const PACKAGES: [&str; 5] =
    ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "libc6:arm64", "libclang-dev", "qemu-user"];
/// Rust with a standard library for the board, in case this machine's own Rust has none.
const RUST_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "libstd-rust-web-dev:arm64"];
/// The crates that read and run models.
const MODEL_READER: [&str; 3] = ["tract-core", "tract-hir", "tract-onnx"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The emulator that runs the board's programs on this machine.
pub const EMULATOR: &str = "qemu-aarch64";

/// A cargo that builds for the board.
pub struct Cross {
    root: PathBuf,
    debians_rust: bool,
}

impl Cross {
    /// Installs missing packages.
    pub fn set_up() -> Result<Self> {
        let root = workspace::root()?;
        let debians_rust = !has_own_target(&root);
        system::ensure_packages(&PACKAGES)?;
        if debians_rust {
            system::ensure_packages(&RUST_PACKAGES)?;
        }
        Ok(Self { root, debians_rust })
    }

    /// Returns `cargo SUBCOMMAND` for these crates and the board's processor.
    pub fn cargo(&self, subcommand: &str, crates: &[&str]) -> Command {
        let mut cargo = self.plain(subcommand);
        if crates.contains(&"edge-runtime") {
            // Features that only tests and workstations need stay out of the board's program.
            let features = match subcommand {
                "test" => "edge-runtime/camera,edge-runtime/nokhwa",
                _ => "edge-runtime/camera",
            };
            cargo.args(["--features", features]);
        }
        cargo.args(crates.iter().flat_map(|name| ["--package", name]));
        cargo
    }

    /// Returns `cargo SUBCOMMAND` for the board's processor, without crates and features.
    pub fn plain(&self, subcommand: &str) -> Command {
        let mut cargo = workspace::cargo(&self.root);
        if self.debians_rust {
            cargo = Command::new(DEBIAN_CARGO);
            cargo.current_dir(&self.root).env("RUSTC", DEBIAN_RUSTC).env_remove("RUSTUP_TOOLCHAIN");
        }
        cargo.args([subcommand, "--target", TARGET]);
        // Respect a linker that the user has configured.
        let linker = target_variable("LINKER");
        if env::var_os(&linker).is_none() {
            cargo.env(linker, "aarch64-linux-gnu-gcc");
        }
        // Without `-L`: with a second C library besides libc6:arm64's, the first thread spins forever.
        cargo.env(target_variable("RUNNER"), EMULATOR);
        // Tests use it to start this project's programs.
        cargo.env("NOMINAL_EMULATOR", EMULATOR);
        cargo.env("CC_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-gcc");
        let headers = "-I/usr/aarch64-linux-gnu/include";
        cargo.env("BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu", headers);
        // Emulation multiplies what reading and running a model costs, and the tests' lines wait for no one.
        for name in MODEL_READER {
            cargo.args(["--config", &format!("profile.dev.package.{name}.opt-level=1")]);
        }
        // These programs aren't debugged; without debug information they have a fifth of the size.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "none");
        cargo
    }

    /// Returns `cargo build` for a statically linked program. Linked dynamically, it would need a C library as new as this machine's,
    /// which JetPack 5 (glibc 2.31) doesn't have.
    pub fn standalone_program(&self, name: &str) -> Command {
        let mut cargo = self.cargo("build", &[name]);
        cargo.env(target_variable("RUSTFLAGS"), "-C target-feature=+crt-static");
        cargo
    }

    /// Builds the board's programs as the tests use them, and returns their folder.
    pub fn programs(&self) -> Result<PathBuf> {
        // The same crates as for the tests: another selection would build tract again.
        shell::run(self.cargo("test", &CRATES).args(["--no-run", "--quiet"]))?;
        let folder = target_folder()?.join(TARGET).join("debug");
        let program = folder.join("edge-runtime");
        ensure!(program.is_file(), "the build didn't produce {}", program.display());
        Ok(folder)
    }
}

/// Tests that are left to others, matched by part of their name, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("link::serial::tests", NO_SERIAL_PORTS),
    ("line::a_serial_peer", NO_SERIAL_PORTS),
    ("losses::", NO_SERIAL_PORTS),
    (
        "trigger::presence::tests",
        "drawing and judging whole belts takes minutes under emulation; `cargo xtask test` tests them",
    ),
];
const NO_SERIAL_PORTS: &str = "user emulation has no serial ports; `cargo xtask board` tests them";

/// Builds and tests, passing the arguments on to `cargo test`. Returns cargo's exit code.
pub fn run(arguments: &[OsString]) -> Result<ExitCode> {
    let cross = Cross::set_up()?;
    let mut cargo = cross.cargo("test", &CRATES);
    // Not the doc tests: the host runs those, and rustdoc would have to be Debian's, too.
    cargo.arg("--tests");
    let at = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    cargo.args(&arguments[..at]).arg("--");
    for (tests, why) in LEFT_OUT {
        println!("SKIPPED: {tests}: {why}");
        cargo.args(["--skip", tests]);
    }
    cargo.args(arguments.iter().skip(at + 1));
    println!("$ {}", shell::line(&cargo, None));
    let status = cargo.status().context("can't start cargo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Returns cargo's environment variable for a setting of the board's target.
fn target_variable(name: &str) -> String {
    format!("CARGO_TARGET_{}_{name}", TARGET.replace('-', "_").to_uppercase())
}

/// Returns whether this machine's Rust can build for the board, for example after `rustup target add`.
fn has_own_target(root: &Path) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(rustc);
    rustc.current_dir(root).args(["--print", "target-libdir", "--target", TARGET]);
    let folder = rustc.output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    folder.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Returns the folder of all build output, derived from this program's location.
fn target_folder() -> Result<PathBuf> {
    let release = workspace::release_folder()?;
    Ok(release.parent().context("the target folder has no parent")?.to_path_buf())
}
