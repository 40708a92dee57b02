//! Where the checkout and its build output are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The root of the checkout. Cargo names it at run time; the path compiled in would be wrong where several checkouts
/// share a target folder.
pub fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .context("start this through cargo, as `cargo xtask`: it needs to know where the checkout is")?;
    let root = Path::new(&package).parent().context("the xtask folder has no parent folder")?;
    Ok(root.to_path_buf())
}

/// The cargo that started this, in the root of the checkout.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// The target folder: this program lies in its `debug` folder, wherever the user's settings have put it.
pub fn target_folder() -> Result<PathBuf> {
    let this = env::current_exe().context("can't find this program's own path")?;
    let target = this.ancestors().nth(2).context("this program is not in a cargo target folder")?;
    Ok(target.to_path_buf())
}

/// The folder of release programs.
pub fn release_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("release"))
}
