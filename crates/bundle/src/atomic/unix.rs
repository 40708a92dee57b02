//! What [`crate::atomic`] needs of Linux and other Unix systems.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::Builder;

/// Gives a temporary file or folder the permissions of an ordinary one, as the user's mask leaves them.
pub(super) fn for_everyone<'a, 'b, 'c>(
    builder: &'a mut Builder<'b, 'c>,
    mode: u32,
) -> &'a mut Builder<'b, 'c> {
    builder.permissions(Permissions::from_mode(mode))
}

/// Exchanges two names in one step.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] if the file system can't do that; nothing is moved then.
pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(|e| match e {
        Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => io::Error::new(
            io::ErrorKind::Unsupported,
            "this file system can't exchange two folders in one step; keep them on ext4",
        ),
        e => e.into(),
    })
}

/// Returns whether the process that made a half-written file or folder no longer exists.
#[cfg(target_os = "linux")]
pub(super) fn is_left(process: u32, _path: &Path) -> bool {
    !Path::new(&format!("/proc/{process}")).exists()
}

#[cfg(not(target_os = "linux"))]
pub(super) use super::is_old as is_left;

/// Flushes a folder's list of names to the disk.
///
/// # Errors
/// The file system's error.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
