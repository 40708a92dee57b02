//! A record's folder on disk: its size, and how it is removed.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::Path;

use bundle::atomic::half_written;

use super::RecordName;
use super::files::NAMES;

/// The allocation unit of a disk: a file takes a whole number of these, a folder one.
pub const BLOCK: u64 = 4096;

pub const fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

/// Returns the size of a record on disk; `None` if the folder holds no file of a record. Other files in it don't count.
pub fn bytes_of(folder: &Path) -> io::Result<Option<u64>> {
    let mut bytes = None;
    for name in NAMES {
        if let Some(metadata) = file(&folder.join(name))? {
            bytes = Some(bytes.unwrap_or(BLOCK) + blocks(metadata.len()));
        }
    }
    Ok(bytes)
}

/// Removes a record: its files, and its folder unless that holds foreign files.
pub fn remove(folder: &Path, hidden: &Path) -> io::Result<()> {
    // Hidden first, so that no reader sees a partial record; the next start removes any remains.
    std::fs::rename(folder, hidden)?;
    if remove_files(hidden)? { Ok(()) } else { std::fs::rename(hidden, folder) }
}

/// Removes a record's files and its folder; foreign files stay, and then the folder does too. Returns whether the folder
/// was removed.
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

/// Returns the metadata of a regular file. Anything else isn't part of a record: a link leads to foreign files.
fn file(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether this is the temporary name under which a record is written before it is renamed.
pub fn is_leftover(name: &str) -> bool {
    half_written(name).is_some_and(|name| RecordName::parse(name).is_some())
}
