//! A record's folder on disk: what it takes, and how it goes.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::Path;

use bundle::atomic::half_written;

use super::RecordName;
use super::files::NAMES;

/// What a disk gives out at once: a file takes a whole number of these, a folder one.
pub const BLOCK: u64 = 4096;

pub const fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

/// What a record takes; `None` where the folder holds nothing of one. What else lies in it is somebody else's.
pub fn bytes_of(folder: &Path) -> io::Result<Option<u64>> {
    let mut bytes = None;
    for name in NAMES {
        if let Some(metadata) = file(&folder.join(name))? {
            bytes = Some(bytes.unwrap_or(BLOCK) + blocks(metadata.len()));
        }
    }
    Ok(bytes)
}

/// Removes a record: its files, and its folder unless somebody has put something of his own there.
pub fn remove(folder: &Path, hidden: &Path) -> io::Result<()> {
    // Hidden first: nobody meets half of it, and the next start removes what is left.
    std::fs::rename(folder, hidden)?;
    if remove_files(hidden)? { Ok(()) } else { std::fs::rename(hidden, folder) }
}

/// Removes a record's files and its folder; anything else in it stays, and the folder with it. Tells whether that went.
pub fn remove_files(folder: &Path) -> io::Result<bool> {
    for name in NAMES {
        let path = folder.join(name);
        if file(&path)?.is_some() {
            std::fs::remove_file(path)?;
        }
    }
    match std::fs::remove_dir(folder) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(e) => Err(e),
    }
}

/// A regular file's metadata: a record has nothing else, and a link leads to what is not ours.
fn file(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether this is the name under which a record is written before it is renamed.
pub fn is_leftover(name: &str) -> bool {
    half_written(name).is_some_and(|name| RecordName::parse(name).is_some())
}
