//! The root of an image: Debian, the package, and what a card needs beyond them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{cache, deploy, root, shell};

/// What the root has beyond Debian's least.
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

/// The initial RAM disk brings what a board may have its root on, and not every driver there is: choosing among those
/// takes minutes under emulation.
pub const PREPARE: &str = r#"mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/nominal"
printf '%s\n' virtio_pci virtio_mmio virtio_blk virtio_scsi nvme ahci sd_mod usb_storage uas xhci_pci xhci_hcd \
    sdhci_pci sdhci_acpi sdhci_iproc mmc_block ext4 >"$1/usr/share/initramfs-tools/modules.d/nominal""#;

/// Files of the root: where, with which rights, what.
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

/// Fills the two folders.
pub fn fill(system: &Path, boot: &Path, tar: &Path, package: &Path) -> Result<()> {
    fs::create_dir_all(system.join("boot/nominal")).context("can't make the root's folder")?;
    root::unpack(tar, system)?;
    for (path, mode, text) in FILES {
        write(&system.join(path), text)?;
        fs::set_permissions(system.join(path), fs::Permissions::from_mode(mode))
            .with_context(|| format!("can't set the rights of {path}"))?;
    }
    fs::copy(package, system.join("nominal.deb"))
        .with_context(|| format!("can't copy {}", package.display()))?;
    in_root(system, "dpkg -i /nominal.deb && systemctl enable systemd-networkd nominal-settings")?;
    // A board beside a conveyor is updated by people, not at night by itself.
    in_root(system, "systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer")?;
    make_anonymous(system)?;
    fill_boot(system, boot)
}

fn in_root(system: &Path, script: &str) -> Result<()> {
    let script = format!("export DEBIAN_FRONTEND=noninteractive LC_ALL=C SYSTEMD_OFFLINE=1; {script}");
    let system = system.to_string_lossy();
    shell::run(&mut root::private(false, "chroot", &[&system, "/bin/sh", "-ec", &script]))
}

/// What must differ from board to board is made by each board itself.
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

/// The boot partition: boot loader, kernel, initial RAM disk.
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

/// The root has one kernel; a later one is copied by the root's own hook.
fn newest(system: &Path, prefix: &str) -> Result<PathBuf> {
    let boot = system.join("boot");
    let entries = boot.read_dir().context("the root has no folder boot")?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    let newest = names.filter(|name| name.starts_with(prefix)).max();
    Ok(boot.join(newest.with_context(|| format!("the root has no boot/{prefix}…"))?))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
