//! A small disk that tests can fill or make read-only.

use std::path::Path;
use std::process::Command;

/// A disk of 1 MiB.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts the disk. Prints a notice and returns `None` if this process isn't allowed to mount.
    pub fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount").args(arguments).arg(folder.path()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: mounting a small disk needs root");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Remounts the disk as `ro` or `rw`.
    pub fn remount(&self, access: &str) {
        let options = format!("remount,{access}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failing test still has files open.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
