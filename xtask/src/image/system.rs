//! The root of an image: Debian, the package, and additional files for a card.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{cache, deploy, root, shell};

/// The root's packages beyond Debian's minimum.
pub const PACKAGES: [&str; 16] = [
    "adduser",
    "dbus",
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-arm64",
    "netbase",
    "openssh-server",
    "systemd-boot-efi",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "zstd",
];

/// Limits the initial RAM disk to drivers for devices that may contain a board's root. Selecting among all drivers would take minutes
/// under emulation.
pub const PREPARE: &str = r#"mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/nominal"
printf '%s\n' virtio_pci virtio_mmio virtio_blk virtio_scsi nvme ahci sd_mod usb_storage uas xhci_pci xhci_hcd \
    sdhci_pci sdhci_acpi sdhci_iproc mmc_block ext4 >"$1/usr/share/initramfs-tools/modules.d/nominal""#;

/// Files of the root: path, mode, contents.
const FILES: [(&str, u32, &str); 8] = [
    ("usr/lib/nominal/first-boot", 0o755, include_str!("files/first-boot")),
    ("usr/lib/nominal/bundles.sh", 0o644, deploy::BUNDLES),
    ("etc/systemd/system/nominal-settings.service", 0o644, include_str!("files/nominal-settings.service")),
    ("etc/initramfs/post-update.d/nominal", 0o755, include_str!("files/update-boot")),
    ("etc/fstab", 0o644, include_str!("files/fstab")),
    ("etc/systemd/network/nominal.network", 0o644, include_str!("files/network")),
    ("etc/systemd/journald.conf.d/nominal.conf", 0o644, include_str!("files/journald.conf")),
    ("etc/repart.d/root.conf", 0o644, include_str!("files/root.repart")),
];

/// Files of the boot partition.
const BOOT_FILES: [(&str, &str); 2] = [
    ("loader/loader.conf", include_str!("files/loader.conf")),
    ("loader/entries/nominal.conf", include_str!("files/entry.conf")),
];

/// Fills the folders of the root and the boot partition.
pub fn fill(system: &Path, boot: &Path, tar: &Path, package: &Path) -> Result<()> {
    fs::create_dir_all(system.join("boot/nominal")).context("can't make the root's folder")?;
    root::unpack(tar, system)?;
    for (path, mode, text) in FILES {
        write(&system.join(path), text)?;
        fs::set_permissions(system.join(path), fs::Permissions::from_mode(mode))
            .with_context(|| format!("can't set the mode of {path}"))?;
    }
    fs::copy(package, system.join("nominal.deb"))
        .with_context(|| format!("can't copy {}", package.display()))?;
    in_root(system, "dpkg -i /nominal.deb && systemctl enable systemd-networkd nominal-settings")?;
    // A board beside a conveyor is updated by people, not automatically at night.
    in_root(system, "systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer")?;
    make_anonymous(system)?;
    fill_boot(system, boot)
}

fn in_root(system: &Path, script: &str) -> Result<()> {
    let script = format!("export DEBIAN_FRONTEND=noninteractive LC_ALL=C SYSTEMD_OFFLINE=1; {script}");
    let system = system.to_string_lossy();
    shell::run(&mut root::sandboxed(false, "chroot", &[&system, "/bin/sh", "-ec", &script]))
}

/// Removes everything that must differ between boards; each board generates it itself.
fn make_anonymous(system: &Path) -> Result<()> {
    cache::remove(&system.join("nominal.deb"))?;
    write(&system.join("etc/machine-id"), "")?;
    cache::remove(&system.join("var/lib/dbus/machine-id"))?;
    let keys = system.join("etc/ssh").read_dir().context("the root has no SSH server")?;
    for entry in keys {
        let path = entry.context("can't read the root's folder etc/ssh")?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ssh_host_")) {
            cache::remove(&path)?;
        }
    }
    Ok(())
}

/// Fills the boot partition with boot loader, kernel and initial RAM disk.
fn fill_boot(system: &Path, boot: &Path) -> Result<()> {
    for (path, text) in BOOT_FILES {
        write(&boot.join(path), text)?;
    }
    let loader = boot.join("EFI/BOOT");
    fs::create_dir_all(&loader).context("can't make the boot loader's folder")?;
    let copies = [
        (system.join("usr/lib/systemd/boot/efi/systemd-bootaa64.efi"), loader.join("BOOTAA64.EFI")),
        (newest(system, "vmlinuz-")?, boot.join("vmlinuz")),
        (newest(system, "initrd.img-")?, boot.join("initrd.img")),
    ];
    for (from, to) in copies {
        fs::copy(&from, &to).with_context(|| format!("can't copy {}", from.display()))?;
    }
    Ok(())
}

/// Returns the newest file with this prefix in `boot`. The root has one kernel; later ones are copied by the root's own hook.
fn newest(system: &Path, prefix: &str) -> Result<PathBuf> {
    let boot = system.join("boot");
    let entries = boot.read_dir().context("the root has no folder boot")?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    let newest = names.filter(|name| name.starts_with(prefix)).max();
    Ok(boot.join(newest.with_context(|| format!("the root has no boot/{prefix}…"))?))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("the file's path has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
