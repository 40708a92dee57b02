//! The folder of records: adds records, removes the oldest, and cleans up half-written ones.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bundle::atomic::{write_folder, write_synced};

use super::age::AgeClock;
use super::age_file::{self, ClockJumps};
use super::error::RecordError;
use super::files::RecordFile;
use super::name::RecordName;
use super::record_folder::{self, BLOCK, blocks};
use crate::clock::{Moment, WallTime};
use crate::log::limited;

/// Limits on the records that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum total size of all records, in bytes.
    pub bytes: u64,
    /// Maximum age of a record.
    pub age: Duration,
}

/// A record in the folder.
#[derive(Debug, Clone, Copy)]
struct StoredRecord {
    bytes: u64,
    /// The seconds by which the wall clock was ahead when the record was written.
    ahead: i64,
}

/// The records in a folder, oldest first. It never touches anything there except records and the age clock's file.
#[derive(Debug)]
pub struct RecordStore {
    folder: PathBuf,
    /// Locked, so that no other process mistakes this one's half-written record for a leftover.
    handle: File,
    limits: Limits,
    records: BTreeMap<RecordName, StoredRecord>,
    bytes: u64,
    clock: AgeClock,
}

impl RecordStore {
    /// Creates the folder if it doesn't exist, removes records that a power cut left half-written, and counts the existing
    /// ones.
    ///
    /// # Errors
    /// [`RecordError::Io`], [`RecordError::InUse`]
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, RecordError> {
        let io = |source| RecordError::Io { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let handle = File::open(folder).map_err(io)?;
        // A file system without locks has none to respect.
        if matches!(handle.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(RecordError::InUse { folder: folder.to_owned() });
        }
        let clock = AgeClock::default();
        let mut store =
            Self { folder: folder.to_owned(), handle, limits, records: BTreeMap::new(), bytes: 0, clock };
        store.scan().map_err(io)?;
        store.restore_clock();
        Ok(store)
    }

    /// Returns the total size of the records in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the highest run number among the records; 0 if there are none.
    #[must_use]
    pub fn last_run(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(name, _)| name.run)
    }

    /// Takes a reading of the wall clock; call it before each record and from time to time.
    pub fn update_clock(&mut self, now: WallTime, at: Moment) {
        self.clock.update(now, at, self.limits.age);
    }

    /// Removes records that are too old. Jumps of the wall clock don't count towards their age.
    ///
    /// # Errors
    /// [`RecordError::Io`] if a record can't be removed, [`RecordError::Gone`].
    pub fn expire(&mut self) -> Result<(), RecordError> {
        self.check_folder()?;
        let is_old = |(name, stored): &(&RecordName, &StoredRecord)| {
            self.clock.age_of(name.captured, stored.ahead).is_some_and(|age| age > self.limits.age)
        };
        let old: Vec<RecordName> = self.records.iter().filter(is_old).map(|(name, _)| *name).collect();
        old.into_iter().try_for_each(|name| self.remove(name))?;
        self.save_clock(None);
        Ok(())
    }

    /// Restores the saved clock, or else reconstructs it from the records themselves.
    fn restore_clock(&mut self) {
        if let Some((clock, jumps)) = age_file::read(&self.folder) {
            self.clock = clock;
            self.records.iter_mut().for_each(|(name, stored)| stored.ahead = jumps.at(*name));
        } else {
            for (name, stored) in &mut self.records {
                self.clock.step(name.captured, Duration::ZERO, self.limits.age);
                stored.ahead = self.clock.ahead;
            }
        }
    }

    /// Saves the clock to disk, together with a record about to be written. If that fails, the next start counts less time.
    fn save_clock(&self, next: Option<RecordName>) {
        let records = self.records.iter().map(|(name, stored)| (*name, stored.ahead));
        let jumps = ClockJumps::of(records.chain(next.map(|name| (name, self.clock.ahead))));
        if let Err(e) = age_file::write(&self.folder, &self.clock, &jumps) {
            limited!(
                warn,
                "cannot save the age of records in {}: {e}; check the disk",
                self.folder.display()
            );
        }
    }

    /// Removes the oldest records to make room and writes a record, which is on disk on return. If the disk is full before
    /// the limit is reached, older records make room as well.
    ///
    /// # Errors
    /// [`RecordError`]; nothing of the record is then left.
    pub fn write(&mut self, name: RecordName, files: &[RecordFile]) -> Result<(), RecordError> {
        let bytes = BLOCK + files.iter().map(|(_, bytes)| blocks(bytes.len() as u64)).sum::<u64>();
        if bytes > self.limits.bytes {
            return Err(RecordError::TooLarge { bytes });
        }
        self.check_folder()?;
        if self.folder.join(name.to_string()).symlink_metadata().is_ok() {
            return Err(RecordError::Exists(name));
        }
        self.shrink_to(self.limits.bytes - bytes)?;
        if self.records.last_key_value().is_none_or(|(_, last)| last.ahead != self.clock.ahead) {
            self.save_clock(Some(name));
        }
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
        self.count(name, StoredRecord { bytes, ahead: self.clock.ahead });
        Ok(())
    }

    fn write_files(&self, name: RecordName, files: &[RecordFile]) -> io::Result<()> {
        write_folder(&self.folder.join(name.to_string()), |partial| {
            files.iter().try_for_each(|(name, bytes)| write_synced(&partial.join(name), bytes))
        })
    }

    /// Checks that the folder is still the one that was opened: an unmounted disk leaves an empty folder in its place,
    /// which must not be filled instead.
    fn check_folder(&self) -> Result<(), RecordError> {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::metadata(&self.folder).ok().map(identity);
        let ours = self.handle.metadata().ok().map(identity);
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

    fn count(&mut self, name: RecordName, stored: StoredRecord) {
        // The name can only exist already if its folder was removed by hand.
        let before = self.records.insert(name, stored).map_or(0, |before| before.bytes);
        self.bytes = self.bytes.saturating_add(stored.bytes).saturating_sub(before);
    }

    /// Removes a record from the count and from the disk. Foreign files in its folder stay.
    fn remove(&mut self, name: RecordName) -> Result<(), RecordError> {
        let path = self.folder.join(name.to_string());
        let hidden = self.folder.join(format!(".{name}.partial-{}", std::process::id()));
        match record_folder::remove(&path, &hidden) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(self.io(e)),
            _ => {
                let bytes = self.records.remove(&name).map_or(0, |stored| stored.bytes);
                self.bytes = self.bytes.saturating_sub(bytes);
                Ok(())
            }
        }
    }

    fn scan(&mut self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str() else { continue };
            // Links are not followed: they lead to foreign files.
            if !entry.file_type()?.is_dir() {
                continue;
            }
            if let Some(name) = RecordName::parse(text) {
                if let Ok(Some(bytes)) = record_folder::bytes_of(&entry.path()) {
                    self.count(name, StoredRecord { bytes, ahead: 0 });
                }
            } else if record_folder::is_leftover(text)
                && let Err(e) = record_folder::remove_files(&entry.path())
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

/// Returns the highest run number among the records in a folder; 0 if there are none, or it can't be read.
pub fn last_run_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = entries.filter_map(|entry| Some(RecordName::parse(entry.file_name().to_str()?)?.run));
    runs.max().unwrap_or(0)
}

impl Drop for RecordStore {
    fn drop(&mut self) {
        // Closing alone does not unlock while a child process that is just starting holds a copy of the handle.
        let _ = self.handle.unlock();
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
