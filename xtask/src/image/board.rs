//! An emulated board (QEMU) with processor, UEFI firmware, disk, network, GPIO chip, and its console in a file.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

const FIRMWARE: &str = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd";
/// The required programs and files, with their Debian packages.
pub const PROGRAMS: [(&str, &str); 4] = [
    ("qemu-system-aarch64", "qemu-system-arm"),
    (FIRMWARE, "qemu-efi-aarch64"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
];
/// Time limit for waiting. An emulated board that shared its two cores with a build has taken three minutes to boot.
const BOOT: Duration = Duration::from_secs(600);

/// The board's name for ssh.
pub const NAME: &str = "board";

/// A running board. Dropping it cuts its power.
pub struct Board {
    qemu: Child,
    console: PathBuf,
    /// The ssh configuration for the host [`NAME`].
    pub ssh_config: PathBuf,
    on: Instant,
}

impl Board {
    /// Starts a board with this disk.
    pub fn boot(disk: &Path, folder: &Path, key: &Path) -> Result<Self> {
        let port = free_port()?;
        let (console, ssh_config) = (folder.join("console.log"), folder.join("ssh_config"));
        fs::write(&ssh_config, settings_of_ssh(port, key)).context("can't write ssh's settings")?;
        let mut qemu = Command::new("qemu-system-aarch64");
        // With a device tree, as on real boards; with ACPI, the kernel finds no GPIO chip here.
        qemu.args([
            "-M",
            "virt,acpi=off",
            "-cpu",
            "cortex-a72",
            "-smp",
            "2",
            "-m",
            "1024",
            "-nographic",
            "-nodefaults",
        ]);
        qemu.args(["-bios", FIRMWARE, "-device", "virtio-rng-pci"]);
        qemu.arg("-drive").arg(format!("if=none,id=disk,format=raw,file={}", disk.display()));
        qemu.args(["-device", "virtio-blk-pci,drive=disk"]);
        qemu.arg("-netdev").arg(format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"));
        qemu.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        let qemu = qemu.stdin(Stdio::null()).spawn().context("can't start qemu-system-aarch64")?;
        Ok(Self { qemu, console, ssh_config, on: Instant::now() })
    }

    /// Returns the time since the board was started.
    pub fn on_for(&self) -> Duration {
        self.on.elapsed()
    }

    /// Runs a shell command on the board and returns its output. An exit status other than 0 is an error, which includes the end of the
    /// console's log.
    pub fn ask(&self, line: &str) -> Result<String> {
        shell::output(&mut self.shell(line))
            .with_context(|| format!("the board's console ends:\n{}", self.console_end()))
    }

    /// Waits until a shell command succeeds on the board.
    pub fn wait_for(&mut self, what: &str, line: &str) -> Result<Duration> {
        let begin = Instant::now();
        while begin.elapsed() < BOOT {
            if shell::succeeds(&mut self.shell(line)) {
                return Ok(begin.elapsed());
            }
            if let Some(status) = self.qemu.try_wait().context("can't query QEMU's state")? {
                bail!("the board stopped ({status}); its console ends:\n{}", self.console_end());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        bail!("{what} within {} s; the board's console ends:\n{}", BOOT.as_secs(), self.console_end())
    }

    /// Shuts the board down properly.
    pub fn power_off(mut self) -> Result<()> {
        // The connection ends with the board.
        let _ = shell::succeeds(&mut self.shell("systemctl poweroff"));
        let begin = Instant::now();
        while self.qemu.try_wait().context("can't query QEMU's state")?.is_none() {
            ensure!(
                begin.elapsed() < BOOT,
                "the board doesn't shut down; its console ends:\n{}",
                self.console_end()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn shell(&self, line: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.ssh_config).args([NAME, line]);
        ssh
    }

    fn console_end(&self) -> String {
        let bytes = fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\r', "");
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Returns the ssh configuration. It doesn't check the host key, because each new board has a new one.
fn settings_of_ssh(port: u16, key: &Path) -> String {
    format!(
        "Host {NAME}\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
         BatchMode yes\n  ConnectTimeout 20\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n",
        key.display()
    )
}

/// Returns a port that is currently free.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr().context("no port is free")?.port())
}
