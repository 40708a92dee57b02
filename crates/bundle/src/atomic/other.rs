//! What [`crate::atomic`] needs of Windows, where it promises less: two folders can't be exchanged in one step, so for a moment a folder
//! that is replaced has no name. Lines run on Linux.

use std::io;
use std::path::Path;

use tempfile::Builder;

pub(super) use super::is_old as is_left;

/// Files and folders inherit the permissions of the folder that they are in.
pub(super) fn for_everyone<'a, 'b, 'c>(
    builder: &'a mut Builder<'b, 'c>,
    _mode: u32,
) -> &'a mut Builder<'b, 'c> {
    builder
}

/// Says that two names can't be exchanged in one step.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`]
pub(super) fn exchange(_a: &Path, _b: &Path) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system can't exchange two folders in one step; do this on Linux",
    ))
}

/// Does nothing: this system flushes a folder's list of names by itself, and offers no way to ask for it.
///
/// # Errors
/// None here.
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
