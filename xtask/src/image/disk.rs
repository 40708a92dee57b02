//! Creates partitions and file systems in a file, without mounting or loop devices: each tool writes at its partition's offset in the
//! file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell;

/// The required programs and their Debian packages.
pub const PROGRAMS: [(&str, &str); 4] =
    [("sfdisk", "fdisk"), ("mkfs.vfat", "dosfstools"), ("mcopy", "mtools"), ("mke2fs", "e2fsprogs")];

/// Start of the boot partition.
const BOOT_AT_MIB: u64 = 1;
/// Size of the boot partition: room for two kernels and a few bundles.
const BOOT_MIB: u64 = 320;
/// Free space in the root partition; on the card, it grows to fill the card.
const FREE_MIB: u64 = 256;
/// Size of the backup partition table at the end.
const END_MIB: u64 = 1;

/// Writes the image from the two partitions' contents.
pub fn write(image: &Path, boot: &Path, root: &Path) -> Result<()> {
    let root_mib = megabytes_of(root)? * 11 / 10 + FREE_MIB;
    let root_at = BOOT_AT_MIB + BOOT_MIB;
    let file = File::create(image).with_context(|| format!("can't write {}", image.display()))?;
    file.set_len((root_at + root_mib + END_MIB) << 20).context("can't make the image's file")?;
    drop(file);
    partition(image, root_mib)?;
    // mkfs.vfat takes its offset in sectors of 512 bytes and its size in KiB.
    let mut mkfs = tool("mkfs.vfat");
    mkfs.args(["-F", "32", "-n", "NOMINAL", "--offset", &(BOOT_AT_MIB * 2048).to_string()]);
    silently(mkfs.arg(image).arg((BOOT_MIB * 1024).to_string()))?;
    for entry in boot.read_dir().context("can't read the boot partition's folder")? {
        copy_to_boot(image, &entry.context("can't read the boot partition's folder")?.path(), "::/")?;
    }
    let place = format!("offset={}", root_at << 20);
    let mut mke2fs = tool("mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-L", "nominal-root", "-E"]).arg(place);
    silently(mke2fs.arg("-d").arg(root).arg(image).arg(format!("{root_mib}m")))
}

/// Copies a file or folder to the boot partition of an image, and overwrites existing files.
pub fn copy_to_boot(image: &Path, from: &Path, to: &str) -> Result<()> {
    let place = format!("{}@@{BOOT_AT_MIB}M", image.display());
    shell::run(Command::new("mcopy").args(["-s", "-o", "-Q", "-i", &place]).arg(from).arg(to))
}

fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    // Root's programs aren't on every user's path.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Runs a command to its end, and shows its output only if it fails. mkfs.vfat warns that the file is larger than the file system.
fn silently(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("can't start `{}`", shell::line(command, None)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}` failed: {}", shell::line(command, None), said.trim());
    Ok(())
}

/// Writes the partition table, a GPT whose types identify the partitions to firmware and systemd.
fn partition(image: &Path, root_mib: u64) -> Result<()> {
    let table = format!(
        "label: gpt\n\
         start={BOOT_AT_MIB}MiB, size={BOOT_MIB}MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=nominal-boot\n\
         start={}MiB, size={root_mib}MiB, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE, name=nominal-root\n",
        BOOT_AT_MIB + BOOT_MIB
    );
    let mut sfdisk = tool("sfdisk")
        .arg("--quiet")
        .arg(image)
        .stdin(Stdio::piped())
        .spawn()
        .context("can't start sfdisk")?;
    sfdisk
        .stdin
        .take()
        .context("sfdisk has no standard input")?
        .write_all(table.as_bytes())
        .context("can't write to sfdisk")?;
    ensure!(
        sfdisk.wait().context("can't wait for sfdisk")?.success(),
        "sfdisk failed to create the partitions"
    );
    Ok(())
}

fn megabytes_of(folder: &Path) -> Result<u64> {
    let printed = shell::output(Command::new("du").args(["--summarize", "--block-size=1M"]).arg(folder))?;
    let number = printed.split_whitespace().next().context("du printed nothing")?;
    number.parse().with_context(|| format!("du printed {number:?}"))
}
