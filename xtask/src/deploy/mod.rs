//! `cargo xtask deploy`: installs package, bundle and line file on a board, all together or not at all.
//!
//! A single `ssh` connection sends everything and, once all of it has arrived, starts `on-board.sh` in a separate session. If the
//! connection drops before that, the board is unchanged; if it drops later, the deployment continues without it.
//!
//! | file | contents |
//! |---|---|
//! | `options` | the command line |
//! | `on-board.sh` | the script that runs on the board: checks, switches, checks again, and rolls back on failure |
//! | `bundles.sh` | installing bundles, for this script and the image's first start |
//! | `test` | tests both against an ssh server on loopback, in a Debian root |

#[cfg(test)]
mod on_board_tests;
mod options;
mod test;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{package, shell};
pub use options::{DeployTask, Options, command};

const ON_BOARD: &str = include_str!("on-board.sh");
/// Functions for installing bundles, used by [`ON_BOARD`] and the image's first start.
pub const BUNDLES: &str = include_str!("bundles.sh");
/// Receives the stream and starts the script once it is complete. The checksums come last, so a truncated stream has none.
const RECEIVE: &str = "set -eu; umask 022; d=$(mktemp -d /var/tmp/nominal-deploy.XXXXXX); trap 'rm -rf \"$d\"' EXIT; \
    tar -xzf - -C \"$d\"; cd \"$d\"; sha256sum --quiet -c sums; as=; [ \"$(id -u)\" = 0 ] || as='sudo -n'; \
    trap - EXIT; : >log; setsid $as sh ./on-board.sh >log 2>&1 </dev/null & p=$!; tail --pid=$p -n +1 -f log & \
    s=0; wait $p || s=$?; wait; $as rm -rf \"$d\"; exit $s";

/// Deploys, or tests deployments.
pub fn run(task: &DeployTask) -> Result<()> {
    match task {
        DeployTask::Deploy(options) => deploy(options),
        DeployTask::Test { package, bundle } => {
            let package = package.clone().map_or_else(|| package::pack_for("host"), Ok)?;
            test::run(&package, bundle)
        }
    }
}

/// Deploys to a board.
pub fn deploy(options: &Options) -> Result<()> {
    let package = match &options.package {
        Some(package) => package.clone(),
        None => package::pack_for(&options.target)?,
    };
    let folder = tempfile::tempdir().context("can't make a temporary folder")?;
    gather(folder.path(), &package, options)?;
    send(folder.path(), options)?;
    println!("{}: deployed", options.host);
    Ok(())
}

/// Collects everything to be sent, with checksums.
fn gather(folder: &Path, package: &Path, options: &Options) -> Result<()> {
    let copy = |from: &Path, name: &str| {
        fs::copy(from, folder.join(name)).map(drop).with_context(|| format!("can't read {}", from.display()))
    };
    copy(package, "nominal.deb")?;
    for (name, text) in [("on-board.sh", ON_BOARD), ("bundles.sh", BUNDLES)] {
        fs::write(folder.join(name), text).context("can't write into the temporary folder")?;
    }
    if let Some(line) = &options.line {
        copy(line, "line.toml")?;
    }
    if let Some(bundle) = &options.bundle {
        ensure!(
            bundle.join("model.onnx").is_file(),
            "{} is not a bundle; give the folder that `trainer export` wrote",
            bundle.display()
        );
        let bundle = bundle.canonicalize().with_context(|| format!("can't find {}", bundle.display()))?;
        let name =
            bundle.file_name().and_then(|name| name.to_str()).context("the bundle's folder has no name")?;
        // It is used as a file name on the board and as a word in a script there.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ensure!(
            name.chars().all(plain) && !name.starts_with('.'),
            "invalid bundle name {name:?}; rename the folder, using only letters, digits, -, _ and ., without a leading dot"
        );
        let to = folder.join("bundle");
        fs::create_dir(&to).context("can't write into the temporary folder")?;
        shell::run(Command::new("cp").arg("-r").arg(&bundle).arg(to.join(name)))?;
    }
    let sum = "find . -type f ! -name sums -exec sha256sum {} + >sums";
    shell::run(Command::new("sh").args(["-c", sum]).current_dir(folder))
}

fn send(folder: &Path, options: &Options) -> Result<()> {
    let mut ssh = Command::new("ssh");
    if let Some(config) = &options.ssh_config {
        ssh.arg("-F").arg(config);
    }
    // A password prompt would appear in the middle of the stream.
    ssh.args(["-o", "BatchMode=yes", "-o", "ServerAliveInterval=10", &options.host, RECEIVE]);
    // The checksums come last, see RECEIVE.
    let pack = "find . -type f ! -name sums | LC_ALL=C sort | tar -czf - -T - sums";
    let mut tar = Command::new("sh")
        .args(["-c", pack])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("can't start tar")?;
    let stream = tar.stdout.take().context("tar has no output")?;
    let status = ssh.stdin(stream).status().context("can't start ssh; install OpenSSH's client")?;
    // This closes our end of the stream, or tar would wait for a reader forever.
    drop(ssh);
    let packed = tar.wait().context("can't wait for tar")?;
    match status.code() {
        Some(0) if packed.success() => Ok(()),
        Some(255) => bail!(
            "the connection to {} failed or dropped. If the upload was incomplete, nothing has changed on the board; \
             otherwise the deployment continues there: check with `ssh {} journalctl -t nominal-deploy`",
            options.host,
            options.host
        ),
        _ => bail!(
            "deploying to {} failed, and its previous state was kept; see the reason above",
            options.host
        ),
    }
}
