//! Tests the image on an emulated board: it boots to a running line with its settings, recovers from failures, and accepts
//! deployments.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::board::{Board, NAME, PROGRAMS};
use super::{disk, settings};
use crate::{deploy, shell, system, workspace};

const TEMPLATE: &str = include_str!("files/nominal.txt");
const LINE: &str = include_str!("line.toml");
const ENTRY: &str = include_str!("files/entry.conf");
/// The board's name in the test.
const HOSTNAME: &str = "line-7";
/// How much larger the card is than the image.
const CARD_MIB: u64 = 512;
/// Succeeds once a part has had a disposition.
const JUDGED: &str = "journalctl -u nominal -o cat | grep -m 1 '\"disposition\"'";

/// Runs the test with a copy of the image.
pub fn run(image: &Path, package: &Path) -> Result<()> {
    system::ensure_programs(&PROGRAMS)?;
    let folder = tempfile::tempdir_in(image.parent().context("the image's path has no folder")?)
        .context("can't make a folder for the test")?;
    let folder = folder.path();
    let (card, key) = (folder.join("card"), folder.join("key"));
    shell::run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key))?;
    let bundle = small_bundle(folder)?;
    prepare(image, &card, folder, &bundle)?;

    let mut board = Board::boot(&card, folder, &key)?;
    board.wait_for("no SSH", "true")?;
    println!("  SSH answers                     {:>6.1} s", board.on_for().as_secs_f32());
    board.wait_for("the line does not run", "systemctl is-active nominal")?;
    board.wait_for("no part was judged", JUDGED)?;
    println!("  first part judged (seen by ssh) {:>6.1} s", board.on_for().as_secs_f32());
    holds(&board)?;
    comes_back(&mut board)?;
    deployments(&mut board, folder, package, &bundle)?;
    board.power_off()?;
    println!("the image boots to a running line and recovers from all of these failures");
    Ok(())
}

/// Creates a bundle that accepts any camera's frames.
fn small_bundle(folder: &Path) -> Result<PathBuf> {
    let bundle = folder.join("spot");
    let mut cargo = workspace::cargo(&workspace::root()?);
    shell::run(cargo.args(["build", "--quiet", "--workspace", "--example", "spot_bundle"]))?;
    let writer = workspace::target_folder()?.join("debug/examples/spot_bundle");
    shell::run(Command::new(writer).arg(&bundle))?;
    Ok(bundle)
}

/// Creates a larger card with the image on it, and with settings on its boot partition as a technician would write them.
fn prepare(image: &Path, card: &Path, folder: &Path, bundle: &Path) -> Result<()> {
    shell::run(Command::new("cp").arg("--sparse=always").arg(image).arg(card))?;
    let file = OpenOptions::new().write(true).open(card).context("can't open the card's file")?;
    let size = file.metadata().context("can't read the size of the card's file")?.len();
    file.set_len(size + (CARD_MIB << 20)).context("can't make the card larger")?;
    let key = fs::read_to_string(folder.join("key.pub")).context("ssh-keygen wrote no key")?;
    let mut text = TEMPLATE.to_owned();
    for (name, value) in
        [("hostname", HOSTNAME), ("ssh_key", key.trim()), ("line", "line.toml"), ("bundle", "bundles/spot")]
    {
        text = settings::with(&text, name, &[value.to_owned()])?;
    }
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).with_context(|| format!("can't write {name}"))?;
        Ok::<_, anyhow::Error>(folder.join(name))
    };
    // As Windows saves it.
    disk::copy_to_boot(card, &write("nominal.txt", &text.replace('\n', "\r\n"))?, "::/")?;
    disk::copy_to_boot(card, &write("line.toml", LINE)?, "::/")?;
    let bundles = folder.join("bundles");
    fs::create_dir(&bundles).context("can't make the folder of bundles")?;
    shell::run(Command::new("cp").arg("-r").arg(bundle).arg(&bundles))?;
    disk::copy_to_boot(card, &bundles, "::/")?;
    // No device is plugged in that would load the camera's driver, so load it at boot.
    let entry = ENTRY.replace("rootwait", "rootwait modules_load=vivid vivid.n_devs=1 vivid.node_types=0x1");
    disk::copy_to_boot(card, &write("nominal.conf", &entry)?, "::/loader/entries/")
}

/// Checks the state of the running board.
fn holds(board: &Board) -> Result<()> {
    let facts = [
        ("host name", "hostname", HOSTNAME),
        ("the program's user", "stat -c %U /proc/$(systemctl show -P MainPID nominal)", "nominal"),
        ("restarts", "systemctl show -P NRestarts nominal", "0"),
        (
            "real-time priority",
            "chrt -p $(ls /proc/$(systemctl show -P MainPID nominal)/task | while read t; do \
          grep -qx gate /proc/$t/comm && echo $t; done) | tail -n 1 | sed 's/.*: //'",
            "49",
        ),
        ("first core left alone", "taskset -cp $(systemctl show -P MainPID nominal) | sed 's/.*: //'", "1"),
        (
            "write access to the system",
            "nsenter -t $(systemctl show -P MainPID nominal) -m touch /usr/x 2>/dev/null && \
          echo open || echo closed",
            "closed",
        ),
        (
            "write access to its bundles",
            "nsenter -t $(systemctl show -P MainPID nominal) -m touch /var/lib/nominal/bundles/x \
          2>/dev/null && echo open || echo closed",
            "closed",
        ),
        ("boot partition", "findmnt -no OPTIONS /boot/nominal | cut -d, -f1", "ro"),
        ("failed units", "systemctl --failed --plain --no-legend | wc -l", "0"),
    ];
    for (what, line, wanted) in facts {
        let found = board.ask(line)?;
        let found = found.trim();
        ensure!(found == wanted, "{what}: found {found:?}, expected {wanted:?}; see `{line}`");
    }
    let free = board.ask("df --output=size -BM / | tail -n 1 | tr -dc 0-9")?;
    let used = board.ask("df --output=used -BM / | tail -n 1 | tr -dc 0-9")?;
    let number = |text: &str| text.trim().parse::<u64>().with_context(|| format!("df printed {text:?}"));
    ensure!(number(&free)? > number(&used)? + CARD_MIB, "the root did not grow to fill the card: {free} MB");
    println!("  status     {}", board.ask("systemctl show -P StatusText nominal")?.trim());
    println!(
        "  memory     {}",
        board.ask("grep VmHWM /proc/$(systemctl show -P MainPID nominal)/status")?.trim()
    );
    println!("  boot       {}", board.ask("systemd-analyze time | head -n 1")?.trim());
    println!("  verdict    {}", board.ask(JUDGED)?.trim());
    Ok(())
}

/// Checks that the supervisor restarts the line when it is killed and when it hangs.
fn comes_back(board: &mut Board) -> Result<()> {
    for (what, signal, restarts) in [("killed", "KILL", 1), ("hung", "STOP", 2)] {
        board.ask(&format!("kill -{signal} $(systemctl show -P MainPID nominal)"))?;
        let again = format!(
            "test $(systemctl show -P NRestarts nominal) -ge {restarts} && systemctl is-active --quiet nominal"
        );
        let took = board.wait_for("the line did not restart", &again)?;
        println!("  {what:<14} runs again after {:>5.1} s", took.as_secs_f32());
    }
    Ok(())
}

/// Checks that a damaged bundle and a wrong line file leave the board unchanged, and that a good deployment takes effect.
fn deployments(board: &mut Board, folder: &Path, package: &Path, bundle: &Path) -> Result<()> {
    let ssh_config = board.ssh_config.clone();
    let deploy = |bundle: Option<&Path>, line: Option<&Path>| {
        deploy::deploy(&deploy::Options {
            host: NAME.to_owned(),
            bundle: bundle.map(Path::to_path_buf),
            line: line.map(Path::to_path_buf),
            package: Some(package.to_path_buf()),
            target: "aarch64".to_owned(),
            ssh_config: Some(ssh_config.clone()),
        })
    };
    let state = "cat /etc/nominal/line.toml $(find /var/lib/nominal/bundles -type f | sort) | sha256sum";
    let before = board.ask(state)?;

    let damaged = folder.join("damaged/spot");
    fs::create_dir(folder.join("damaged")).context("can't make a folder")?;
    shell::run(Command::new("cp").arg("-r").arg(bundle).arg(&damaged))?;
    let model = damaged.join("model.onnx");
    let mut bytes = fs::read(&model).context("can't read the bundle")?;
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
    fs::write(&model, bytes).context("can't damage the bundle")?;
    ensure!(deploy(Some(&damaged), None).is_err(), "a damaged bundle was accepted");
    ensure!(board.ask(state)? == before, "a damaged bundle changed the board");

    let wrong = folder.join("wrong.toml");
    fs::write(&wrong, LINE.replace("/dev/video0", "/dev/video9")).context("can't write a line file")?;
    ensure!(deploy(None, Some(&wrong)).is_err(), "a line file whose camera is missing was accepted");
    ensure!(board.ask(state)? == before, "a wrong line file changed the board");
    board.wait_for("the line does not run as before", "systemctl is-active nominal")?;

    let other = folder.join("other.toml");
    fs::write(&other, LINE.replace("emulated board", "deployed")).context("can't write a line file")?;
    deploy(Some(bundle), Some(&other))?;
    ensure!(board.ask("systemctl is-active nominal")?.trim() == "active", "the deployed line does not run");
    ensure!(
        board.ask("grep ^name /etc/nominal/line.toml | head -n 1")?.contains("deployed"),
        "the line file was not replaced"
    );
    Ok(())
}
