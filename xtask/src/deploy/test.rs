//! Tests deployments to an ssh server on loopback whose sessions run in a Debian root: to fresh and to used boards, and with
//! everything that can go wrong. The machine itself isn't changed: server, root and network are in separate namespaces.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::{package, root, shell, system};

const OVER_LOOPBACK: &str = include_str!("over-loopback.sh");

/// Runs the test with a package and a bundle.
pub fn run(deb: &Path, bundle: &Path) -> Result<()> {
    root::ensure_possible()?;
    system::ensure_programs(&[("sshd", "openssh-server"), ("ssh", "openssh-client"), ("ip", "iproute2")])?;
    let begin = Instant::now();
    let cache = Cache::open()?;
    let tar = root::tar(&cache, "least", &package::field(deb, "Architecture")?, &[], "")?;
    // Not in /tmp: the ssh server refuses a root that other users could replace.
    let folder = tempfile::tempdir_in(cache.path("")).context("can't make a folder for the root")?;
    drop(cache);
    let board = folder.path().join("board");
    std::fs::create_dir(&board).context("can't make a folder for the root")?;
    root::unpack(&tar, &board)?;
    let this = std::env::current_exe().context("can't find this program's own path")?;
    let paths = [this.as_path(), deb, bundle, folder.path()]
        .map(|path| std::path::absolute(path).map(|path| path.to_string_lossy().into_owned()));
    let [this, deb, bundle, folder] = paths;
    let words = [this?, deb?, bundle?, folder?];
    let mut arguments = vec!["-c", OVER_LOOPBACK, "over-loopback"];
    arguments.extend(words.iter().map(String::as_str));
    shell::run(&mut root::sandboxed(false, "bash", &arguments))?;
    println!(
        "deployments passed, including refusals, rollbacks and a dropped connection, in {:.0} s",
        begin.elapsed().as_secs_f32()
    );
    Ok(())
}
