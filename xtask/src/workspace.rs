//! Locates the checkout and its build output.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Returns the root of the checkout, as given by cargo at run time. A path compiled in would be wrong if several checkouts share a
/// target folder.
pub fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .context("can't find the checkout; run this through cargo, as `cargo xtask`")?;
    let root = Path::new(&package).parent().context("the xtask folder has no parent folder")?;
    Ok(root.to_path_buf())
}

/// Returns the cargo that started this program, to be run in the root of the checkout.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Has the tests share the cores, unless the user has decided otherwise.
pub fn set_test_threads(cargo: &mut Command) {
    // Two for each core: many wait for a line, a process or a device rather than for the processor.
    if env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        cargo.env("RUST_TEST_THREADS", (2 * cores).to_string());
    }
    // A thread of libtorch that waits for the others would keep its core busy, and so keep them from running.
    if env::var_os("OMP_WAIT_POLICY").is_none() {
        cargo.env("OMP_WAIT_POLICY", "passive");
    }
}

/// Returns the target folder, wherever the user's settings put it: this program is in its `debug` folder.
pub fn target_folder() -> Result<PathBuf> {
    let this = env::current_exe().context("can't find this program's own path")?;
    let target = this.ancestors().nth(2).context("this program is not in a cargo target folder")?;
    Ok(target.to_path_buf())
}

/// Returns cargo's folder, with the sources of crates.
pub fn cargo_home() -> Result<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")))
        .context("can't find cargo's folder of sources; set CARGO_HOME")
}

/// Returns the folder of release programs.
pub fn release_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("release"))
}
