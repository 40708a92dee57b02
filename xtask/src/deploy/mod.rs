//! `cargo xtask deploy`: package, bundle and line file onto a board, in force together or not at all.
//!
//! One connection of the system's own `ssh` carries everything and starts `on-board.sh` when all of it has arrived, in a
//! session of its own: a connection that drops before leaves the board as it was, one that drops later is not missed.
//!
//! | file | what it holds |
//! |---|---|
//! | `options` | the command line |
//! | `on-board.sh` | what runs on the board: looks, switches, looks again, and switches back |
//! | `bundles.sh` | what it, and the image's first start, do with bundles |
//! | `test` | both of them against an ssh server on loopback, in a Debian root |

#[cfg(test)]
mod on_board_tests;
mod options;
mod test;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{package, shell};
pub use options::{Options, Task, command};

const ON_BOARD: &str = include_str!("on-board.sh");
/// What [`ON_BOARD`] and the image's first start do with bundles.
pub const BUNDLES: &str = include_str!("bundles.sh");
/// Takes what comes, and starts the script when it is whole. The checksums come last: a stream that was cut has none.
const RECEIVE: &str = "set -eu; umask 022; d=$(mktemp -d /var/tmp/nominal-deploy.XXXXXX); trap 'rm -rf \"$d\"' EXIT; \
    tar -xzf - -C \"$d\"; cd \"$d\"; sha256sum --quiet -c sums; as=; [ \"$(id -u)\" = 0 ] || as='sudo -n'; \
    trap - EXIT; : >log; setsid $as sh ./on-board.sh >log 2>&1 </dev/null & p=$!; tail --pid=$p -n +1 -f log & \
    s=0; wait $p || s=$?; wait; $as rm -rf \"$d\"; exit $s";

/// Deploys, or tests the deploying.
pub fn run(task: &Task) -> Result<()> {
    match task {
        Task::Deploy(options) => deploy(options),
        Task::Test { package, bundle } => {
            let package = package.clone().map_or_else(|| package::pack_for("host"), Ok)?;
            test::run(&package, bundle)
        }
    }
}

/// Brings everything onto the board.
pub fn deploy(options: &Options) -> Result<()> {
    let package = match &options.package {
        Some(package) => package.clone(),
        None => package::pack_for(&options.target)?,
    };
    let folder = tempfile::tempdir().context("can't make a folder for what is sent")?;
    gather(folder.path(), &package, options)?;
    send(folder.path(), options)?;
    println!("{}: the new state is in force", options.host);
    Ok(())
}

/// Everything that is sent, with its checksums.
fn gather(folder: &Path, package: &Path, options: &Options) -> Result<()> {
    let copy = |from: &Path, name: &str| {
        fs::copy(from, folder.join(name)).map(drop).with_context(|| format!("can't read {}", from.display()))
    };
    copy(package, "nominal.deb")?;
    for (name, text) in [("on-board.sh", ON_BOARD), ("bundles.sh", BUNDLES)] {
        fs::write(folder.join(name), text).context("can't write what is sent")?;
    }
    if let Some(line) = &options.line {
        copy(line, "line.toml")?;
    }
    if let Some(bundle) = &options.bundle {
        ensure!(
            bundle.join("model.onnx").is_file(),
            "{} is no bundle; give the folder that `trainer export` wrote",
            bundle.display()
        );
        let bundle = bundle.canonicalize().with_context(|| format!("can't find {}", bundle.display()))?;
        let name =
            bundle.file_name().and_then(|name| name.to_str()).context("the bundle's folder has no name")?;
        // It becomes a file name on the board and a word in a script there.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ensure!(
            name.chars().all(plain) && !name.starts_with('.'),
            "the bundle's name {name:?} is not allowed; name the folder with letters, digits, - and _"
        );
        let to = folder.join("bundle");
        fs::create_dir(&to).context("can't make a folder for what is sent")?;
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
    // A password would be asked for in the middle of the stream.
    ssh.args(["-o", "BatchMode=yes", "-o", "ServerAliveInterval=10", &options.host, RECEIVE]);
    // The checksums last, see RECEIVE.
    let pack = "find . -type f ! -name sums | LC_ALL=C sort | tar -czf - -T - sums";
    let mut tar = Command::new("sh")
        .args(["-c", pack])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("can't start tar")?;
    let stream = tar.stdout.take().context("tar gives nothing")?;
    let status = ssh.stdin(stream).status().context("can't start ssh; install OpenSSH's client")?;
    // With it goes this end of the stream: tar would wait for a reader for ever.
    drop(ssh);
    let packed = tar.wait().context("tar is gone")?;
    match status.code() {
        Some(0) if packed.success() => Ok(()),
        Some(255) => bail!(
            "the connection to {} failed or dropped. Before the upload was complete nothing has changed there; after it \
             the board goes on by itself: look with `ssh {} journalctl -t nominal-deploy`",
            options.host,
            options.host
        ),
        _ => bail!("{} keeps what it had; the reason is above", options.host),
    }
}
