//! The two slots of a counter file on disk, and the lock on them.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use super::counter_file::CounterFileError;
use super::counters::Counters;
use super::slot;

pub const SLOT_NAMES: [&str; 2] = ["counters-0", "counters-1"];

/// The contents of the newest intact slot in a folder.
#[derive(Debug, Clone, Copy)]
pub struct NewestSlot {
    /// Index of the slot.
    pub index: usize,
    /// Its sequence.
    pub sequence: u64,
    /// Its counters.
    pub counters: Counters,
}

/// Two open files, the first of which is locked while they are open.
#[derive(Debug)]
pub struct Slots([File; 2]);

impl Slots {
    /// Opens the slots in a folder, creating them if they don't exist.
    ///
    /// # Errors
    /// [`CounterFileError`]
    pub fn open(folder: &Path) -> Result<Self, CounterFileError> {
        let io = |source| CounterFileError::Io { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let open = |name| {
            File::options().read(true).write(true).create(true).truncate(false).open(folder.join(name))
        };
        let [first, second] = SLOT_NAMES;
        let slots = [open(first).map_err(io)?, open(second).map_err(io)?];
        let [lock, _] = &slots;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CounterFileError::InUse { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let slots = Self(slots);
        // If the folder was removed between opening and locking, the lock protects nothing.
        if slots.are_in(folder) {
            Ok(slots)
        } else {
            Err(io(io::Error::new(io::ErrorKind::NotFound, "the folder was just replaced")))
        }
    }

    /// Returns whether the names in `folder` still refer to these files. They don't if the folder or a file was removed,
    /// moved or replaced.
    pub fn are_in(&self, folder: &Path) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        self.0.iter().zip(SLOT_NAMES).all(|(slot, name)| {
            let there = std::fs::metadata(folder.join(name)).ok().map(identity);
            there.is_some() && there == slot.metadata().ok().map(identity)
        })
    }

    /// Returns the intact slot that was written last; `None` if neither is intact.
    pub fn newest(&self) -> io::Result<Option<NewestSlot>> {
        let mut newest: Option<NewestSlot> = None;
        for (index, slot) in self.0.iter().enumerate() {
            // A file longer than a slot isn't a valid slot either.
            let mut bytes = vec![0; slot::LEN + 1];
            let len = read_at_most(slot, &mut bytes)?;
            let Some((sequence, counters)) = bytes.get(..len).and_then(slot::decode) else { continue };
            if newest.is_none_or(|newest| sequence > newest.sequence) {
                newest = Some(NewestSlot { index, sequence, counters });
            }
        }
        Ok(newest)
    }

    /// Returns whether neither slot was ever written.
    pub fn are_empty(&self) -> bool {
        self.0.iter().all(|slot| slot.metadata().is_ok_and(|metadata| metadata.len() == 0))
    }

    /// Overwrites a slot, which is on disk when this returns.
    pub fn write(&self, index: usize, bytes: &[u8]) -> io::Result<()> {
        let slot = self.0.get(index).ok_or(io::ErrorKind::InvalidInput)?;
        slot.write_all_at(bytes, 0)?;
        slot.set_len(slot::LEN as u64)?;
        slot.sync_data()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Closing alone doesn't unlock while a child process that is just being started has a copy of the handle.
        let [lock, _] = &self.0;
        let _ = lock.unlock();
    }
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
