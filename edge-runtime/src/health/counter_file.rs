//! Counters that survive power cuts: two slots that are written in turn.
//!
//! A save overwrites the older slot in place and waits for the disk. Whenever that is cut off, the newer slot is whole:
//! the counters of the save before.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::counters::Counters;
use super::slot;
use crate::clock::Moment;

const NAMES: [&str; 2] = ["counters-0", "counters-1"];
/// From one save to the next: flash wears, and a line that loses power loses no more than this.
pub const EVERY: Duration = Duration::from_secs(1);

/// Why counters can't be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CounterFileError {
    /// The folder can't be used.
    #[error("cannot keep counters in {folder}: {source}; check space and permissions, or change health.state", folder = folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process counts there.
    #[error("another program keeps its counters in {folder}; stop it, or give each line its own health.state", folder = folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
}

/// The counters of a line on disk, for one process at a time.
#[derive(Debug)]
pub struct CounterFile {
    slots: [File; 2],
    /// Which slot comes next.
    next: usize,
    sequence: u64,
    saved: Counters,
    saved_at: Option<Moment>,
    every: Duration,
}

impl CounterFile {
    /// Takes up the counters in a folder, which is made where it is not there: those of the last run, with the number of
    /// the run one higher, on disk by the return. Damaged slots count as none, and are reported.
    ///
    /// # Errors
    /// [`CounterFileError`]
    pub fn open(folder: &Path) -> Result<(Self, Counters), CounterFileError> {
        let io = |source| CounterFileError::Io { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let open = |name| {
            File::options().read(true).write(true).create(true).truncate(false).open(folder.join(name))
        };
        let [first, second] = NAMES;
        let slots = [open(first).map_err(io)?, open(second).map_err(io)?];
        let [lock, _] = &slots;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CounterFileError::InUse { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let found = newest(&slots).map_err(io)?;
        if found.is_none() && slots.iter().any(|slot| slot.metadata().is_ok_and(|m| m.len() > 0)) {
            tracing::error!("the counters in {} are damaged; they start again at zero", folder.display());
        }
        let (newest, sequence, mut counters) = found.unwrap_or((1, 0, Counters::default()));
        counters.run = counters.run.saturating_add(1);
        let mut file =
            Self { slots, next: 1 - newest, sequence, saved: counters, saved_at: None, every: EVERY };
        // Both slots: from here on a save overwrites what has its place on the disk already.
        for _ in NAMES {
            file.write(&counters).map_err(io)?;
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok((file, counters))
    }

    /// Saves the counters where they changed and the last save is a second ago; tells whether it did.
    ///
    /// # Errors
    /// What the disk says; the next call tries again.
    pub fn save(&mut self, counters: &Counters, now: Moment) -> io::Result<bool> {
        let due = self.saved_at.is_none_or(|at| now.since(at) >= self.every);
        if !due || *counters == self.saved {
            return Ok(false);
        }
        self.saved_at = Some(now);
        self.write(counters)?;
        Ok(true)
    }

    /// Saves the counters where they changed, at the end of a run.
    ///
    /// # Errors
    /// What the disk says.
    pub fn save_now(&mut self, counters: &Counters) -> io::Result<()> {
        if *counters == self.saved { Ok(()) } else { self.write(counters) }
    }

    fn write(&mut self, counters: &Counters) -> io::Result<()> {
        let sequence = self.sequence.saturating_add(1);
        let bytes = slot::encode(sequence, counters)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the counters don't fit their slot"))?;
        let slot = self.slots.get(self.next).ok_or(io::ErrorKind::InvalidInput)?;
        slot.write_all_at(&bytes, 0)?;
        slot.set_len(slot::LEN as u64)?;
        slot.sync_data()?;
        // Only a slot that is whole is left alone by the next save.
        self.next = 1 - self.next;
        self.sequence = sequence;
        self.saved = *counters;
        Ok(())
    }
}

impl Drop for CounterFile {
    fn drop(&mut self) {
        // Closing alone does not unlock while a process that is just being started has a copy of the handle.
        let [lock, _] = &self.slots;
        let _ = lock.unlock();
    }
}

/// Place, sequence and counters of the whole slot that was written last; `None` where none is whole.
fn newest(slots: &[File; 2]) -> io::Result<Option<(usize, u64, Counters)>> {
    let mut newest = None;
    for (place, slot) in slots.iter().enumerate() {
        // Longer than a slot is no slot either.
        let mut bytes = vec![0; slot::LEN + 1];
        let len = read_at_most(slot, &mut bytes)?;
        let Some((sequence, counters)) = bytes.get(..len).and_then(slot::decode) else { continue };
        if newest.is_none_or(|(_, newest, _)| sequence > newest) {
            newest = Some((place, sequence, counters));
        }
    }
    Ok(newest)
}

fn read_at_most(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, len as u64)? {
            0 => break,
            read => len += read,
        }
    }
    Ok(len)
}

#[cfg(test)]
#[path = "counter_file_tests.rs"]
mod tests;
