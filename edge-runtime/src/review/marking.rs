//! Takes decisions, one person at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bundle::atomic::sync_folder;
use shared_format::Verdict;

use super::decision::{Decision, Entry, History, HistoryError};
use super::description::Description;
use super::error::ReviewError;
use super::listing::{Place, Review};
use crate::record::{RecordName, bytes_of};

/// How long to wait for another program that is marking records.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// The interval between attempts to get the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

/// What a decision has changed.
#[derive(Debug)]
pub struct Marked {
    /// The decision that held before.
    pub before: Option<Entry>,
    /// Whether it was the same, so that nothing was written.
    pub is_unchanged: bool,
    /// The damage of the earlier decisions, which are lost.
    pub damage: Option<HistoryError>,
}

/// The right to mark records: one program has it at a time.
#[derive(Debug)]
pub struct Marking<'r> {
    review: &'r Review,
    handle: File,
    /// The size of all decided records.
    bytes: u64,
}

impl Review {
    /// Waits until no other program is marking records, for ten seconds at most.
    ///
    /// # Errors
    /// [`ReviewError::Busy`], [`ReviewError::Folder`]
    pub fn lock(&self) -> Result<Marking<'_>, ReviewError> {
        self.lock_within(LOCK_TIMEOUT)
    }

    fn lock_within(&self, timeout: Duration) -> Result<Marking<'_>, ReviewError> {
        let folder = Place::Decided.folder(&self.records);
        let failed = |source| ReviewError::Folder { folder: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let handle = File::open(&folder).map_err(failed)?;
        let started = Instant::now();
        // A file system without locks has none to respect.
        while matches!(handle.try_lock(), Err(TryLockError::WouldBlock)) {
            if started.elapsed() >= timeout {
                return Err(ReviewError::Busy { folder });
            }
            std::thread::sleep(LOCK_INTERVAL);
        }
        let bytes = total_bytes(&folder).map_err(failed)?;
        Ok(Marking { review: self, handle, bytes })
    }
}

impl Marking<'_> {
    /// Takes a decision on a record and keeps it. A different decision of someone else only gives way to `replace`; to take
    /// a decision back, none is needed.
    ///
    /// # Errors
    /// [`ReviewError`]; the record and its decisions are then as before.
    pub fn mark(&mut self, name: RecordName, entry: Entry, replace: bool) -> Result<Marked, ReviewError> {
        let place = self.review.place_of(name).ok_or(ReviewError::Absent(name))?;
        let folder = self.review.path(name, place);
        let description =
            Description::read(&folder).map_err(|source| ReviewError::Description { name, source })?;
        let verdict = description.of_part();
        if entry.decision == Decision::FalseAlarm && verdict == Verdict::Pass {
            return Err(ReviewError::Passed(name));
        }
        let (mut history, damage) = match History::read(&folder) {
            Ok(history) => (history, None),
            Err(damage) => (History::default(), Some(damage)),
        };
        let before = history.current().cloned();
        let takes_back = entry.decision == Decision::Undecided;
        match &before {
            None if takes_back && place != Place::Decided => {
                return Ok(Marked { before, is_unchanged: true, damage });
            }
            Some(held) if held.agrees_with(&entry) && entry.note.is_none() => {
                return Ok(Marked { before, is_unchanged: true, damage });
            }
            Some(held) if !held.agrees_with(&entry) && !replace && !takes_back => {
                return Err(ReviewError::Decided { name, before: Box::new(held.clone()) });
            }
            _ => {}
        }
        history.push(entry);
        let to = match (takes_back, verdict) {
            (false, _) => Place::Decided,
            (true, Verdict::Pass) => Place::Passed,
            (true, Verdict::Reject | Verdict::Fault) => Place::Rejected,
        };
        self.keep(name, &history, place, to)?;
        Ok(Marked { before, is_unchanged: false, damage })
    }

    /// Moves the record and writes its decisions. It moves first: a power cut then leaves it among the decided ones, from
    /// which nothing is dropped.
    fn keep(
        &mut self,
        name: RecordName,
        history: &History,
        from: Place,
        to: Place,
    ) -> Result<(), ReviewError> {
        let failed = |source| ReviewError::Write { name, source };
        let [old, new] = [from, to].map(|place| self.review.path(name, place));
        let bytes = bytes_of(&old).map_err(failed)?.unwrap_or(0);
        if to == Place::Decided && from != Place::Decided {
            let (taken, limit) = (self.bytes, self.review.max_decided);
            if taken.saturating_add(bytes) > limit {
                return Err(ReviewError::Full { name, bytes: taken, limit });
            }
            // The ring may drop it at this very moment.
            rename(&old, &new).map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => ReviewError::Absent(name),
                _ => failed(e),
            })?;
            if let Err(e) = history.write(&new) {
                // If this fails, too, the record stays among the decided ones, undecided.
                let _ = rename(&new, &old);
                return Err(failed(e));
            }
            let bytes = bytes_of(&new).ok().flatten().unwrap_or(bytes);
            self.bytes = self.bytes.saturating_add(bytes);
            return Ok(());
        }
        history.write(&old).map_err(failed)?;
        if from != to {
            rename(&old, &new).map_err(failed)?;
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        Ok(())
    }
}

impl Drop for Marking<'_> {
    fn drop(&mut self) {
        // Closing alone does not unlock while a child process that is just starting holds a copy of the handle.
        let _ = self.handle.unlock();
    }
}

/// Moves a record's folder, which is on disk on return.
fn rename(old: &Path, new: &Path) -> io::Result<()> {
    let [from, to] = [old, new].map(|path| path.parent().unwrap_or(Path::new(".")));
    std::fs::create_dir_all(to)?;
    std::fs::rename(old, new)?;
    sync_folder(to)?;
    sync_folder(from)
}

fn total_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(RecordName::parse).is_some() {
            bytes = bytes.saturating_add(bytes_of(&entry.path())?.unwrap_or(0));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "marking_tests.rs"]
mod tests;
