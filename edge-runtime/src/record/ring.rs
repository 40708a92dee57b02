//! The folder of records: what is there, what has to go, what is half-written.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bundle::atomic::{half_written, write_folder, write_synced};

use super::files::{NAMES, RecordFile};
use super::name::RecordName;
use crate::clock::WallTime;

/// What a disk gives out at once: a file takes a whole number of these, a folder one.
const BLOCK: u64 = 4096;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all records together take.
    pub bytes: u64,
    /// Age of the oldest.
    pub age: Duration,
}

/// Why a record can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot keep records in {folder}: {source}; check space and permissions", folder = folder.display())]
    Io {
        /// The folder of records.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another folder lies in its place by now, or none.
    #[error("the folder {folder} is gone; mount or make it again", folder = folder.display())]
    Gone {
        /// The folder of records.
        folder: PathBuf,
    },
    /// Another process keeps records there.
    #[error("another program keeps records in {folder}; give each line its own records.folder", folder = folder.display())]
    InUse {
        /// The folder of records.
        folder: PathBuf,
    },
    /// One record would take more than all may.
    #[error("a record of {bytes} bytes is larger than all may be together; raise records.max_mib")]
    TooLarge {
        /// What it would take.
        bytes: u64,
    },
    /// There is one of this name.
    #[error("the record {0} is there already; give each part of a run its own number")]
    Exists(RecordName),
    /// The frame or its overlay can't be encoded.
    #[error(transparent)]
    Encode(#[from] judge::EncodeError),
}

/// The records in a folder, oldest first. Nothing there but records is ever touched.
#[derive(Debug)]
pub struct Ring {
    folder: PathBuf,
    /// Locked, so that no other process takes this one's half-written record for a leftover.
    handle: File,
    limits: Limits,
    records: BTreeMap<RecordName, u64>,
    bytes: u64,
}

impl Ring {
    /// Makes the folder where it is not there, removes what a power cut left half-written, and takes the records there
    /// into account.
    ///
    /// # Errors
    /// [`RecordError::Io`], [`RecordError::InUse`]
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, RecordError> {
        let io = |source| RecordError::Io { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let handle = File::open(folder).map_err(io)?;
        // Where the file system knows no locks, there is none to respect.
        if matches!(handle.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(RecordError::InUse { folder: folder.to_owned() });
        }
        let mut ring = Self { folder: folder.to_owned(), handle, limits, records: BTreeMap::new(), bytes: 0 };
        ring.scan().map_err(io)?;
        Ok(ring)
    }

    /// Bytes that the records take.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Their number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The highest number of a run that has a record; 0 where there are none.
    #[must_use]
    pub fn last_run(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(name, _)| name.run)
    }

    /// Removes records that are too old by a set clock.
    ///
    /// # Errors
    /// [`RecordError::Io`] where one can't be removed.
    pub fn expire(&mut self, now: WallTime) -> Result<(), RecordError> {
        let age = self.limits.age;
        let is_old = |name: &&RecordName| now.since(name.captured).is_some_and(|since| since > age);
        let old: Vec<RecordName> = self.records.keys().filter(is_old).copied().collect();
        old.into_iter().try_for_each(|name| self.remove(name))
    }

    /// Writes a record, on disk by the return, after the oldest have made room for it. On a disk that is full before the
    /// limit is reached, older records make room as well.
    ///
    /// # Errors
    /// [`RecordError`]; nothing of the record is left then.
    pub fn write(&mut self, name: RecordName, files: &[RecordFile]) -> Result<(), RecordError> {
        let bytes = BLOCK + files.iter().map(|(_, bytes)| blocks(bytes.len() as u64)).sum::<u64>();
        if bytes > self.limits.bytes {
            return Err(RecordError::TooLarge { bytes });
        }
        self.check_place()?;
        if self.folder.join(name.to_string()).symlink_metadata().is_ok() {
            return Err(RecordError::Exists(name));
        }
        self.shrink_to(self.limits.bytes - bytes)?;
        match self.write_files(name, files) {
            Err(e)
                if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
                    && !self.is_empty() =>
            {
                self.shrink_to(self.bytes.saturating_sub(bytes))?;
                self.write_files(name, files).map_err(|e| self.io(e))?;
            }
            written => written.map_err(|e| self.io(e))?,
        }
        self.count(name, bytes);
        Ok(())
    }

    fn write_files(&self, name: RecordName, files: &[RecordFile]) -> io::Result<()> {
        write_folder(&self.folder.join(name.to_string()), |partial| {
            files.iter().try_for_each(|(name, bytes)| write_synced(&partial.join(name), bytes))
        })
    }

    /// A disk that was taken out leaves an empty folder in its place, which must not be filled instead.
    fn check_place(&self) -> Result<(), RecordError> {
        let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.folder).ok().map(place);
        let ours = self.handle.metadata().ok().map(place);
        if there.is_some() && there == ours {
            Ok(())
        } else {
            Err(RecordError::Gone { folder: self.folder.clone() })
        }
    }

    fn shrink_to(&mut self, bytes: u64) -> Result<(), RecordError> {
        while self.bytes > bytes
            && let Some((&oldest, _)) = self.records.first_key_value()
        {
            self.remove(oldest)?;
        }
        Ok(())
    }

    fn count(&mut self, name: RecordName, bytes: u64) {
        // A name can only be there already where somebody took its folder away.
        let before = self.records.insert(name, bytes).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(bytes).saturating_sub(before);
    }

    /// Takes a record out of the account, and off the disk unless somebody has put something of his own into it.
    fn remove(&mut self, name: RecordName) -> Result<(), RecordError> {
        let path = self.folder.join(name.to_string());
        let removed = match bytes_of(&path) {
            Ok(Some(_)) => {
                // Hidden first: nobody meets half of it, and the next start removes what is left.
                let hidden = self.folder.join(format!(".{name}.partial-{}", std::process::id()));
                std::fs::rename(&path, &hidden).and_then(|()| remove_files(&hidden))
            }
            Ok(None) => Ok(()),
            Err(e) => Err(e),
        };
        match removed {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(self.io(e)),
            _ => {
                self.bytes = self.bytes.saturating_sub(self.records.remove(&name).unwrap_or(0));
                Ok(())
            }
        }
    }

    fn scan(&mut self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str() else { continue };
            // A link is not followed: what it leads to is not ours.
            if !entry.file_type()?.is_dir() {
                continue;
            }
            if let Some(name) = RecordName::parse(text) {
                if let Ok(Some(bytes)) = bytes_of(&entry.path()) {
                    self.count(name, bytes);
                }
            } else if is_leftover(text)
                && let Err(e) = remove_files(&entry.path())
            {
                tracing::warn!("cannot remove the half-written record {}: {e}", entry.path().display());
            }
        }
        Ok(())
    }

    fn io(&self, source: io::Error) -> RecordError {
        RecordError::Io { folder: self.folder.clone(), source }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Closing alone does not unlock while a process that is just being started has a copy of the handle.
        let _ = self.handle.unlock();
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

/// What a record's folder takes; `None` where there is something in it that is no record's.
fn bytes_of(folder: &Path) -> io::Result<Option<u64>> {
    let mut bytes = BLOCK;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if !metadata.is_file() || !NAMES.iter().any(|name| entry.file_name() == *name) {
            return Ok(None);
        }
        bytes += blocks(metadata.len());
    }
    Ok(Some(bytes))
}

/// Removes a record's files and its folder; anything else in it stays, and the folder with it.
fn remove_files(folder: &Path) -> io::Result<()> {
    for name in NAMES {
        match std::fs::remove_file(folder.join(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    std::fs::remove_dir(folder)
}

/// Whether this is the name under which a record is written before it is renamed.
fn is_leftover(name: &str) -> bool {
    half_written(name).is_some_and(|name| RecordName::parse(name).is_some())
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
