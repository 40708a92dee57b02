//! Counters that survive power cuts: two slots that are written in turn.
//!
//! A save overwrites the older slot in place and waits for the disk. If that is cut off at any point, the newer slot is
//! intact: it holds the counters of the previous save.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bundle::atomic::sync_folder;

use super::counters::Counters;
use super::slot;
use super::slots::{NewestSlot, SLOT_NAMES, Slots};
use crate::clock::Moment;
use crate::log::limited;

/// Interval between saves: flash wears out, and a line that loses power loses no more than this.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Why counters can't be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CounterFileError {
    /// The folder can't be used.
    #[error("cannot keep counters in {folder}: {source}; check space and permissions, or change health.state", folder = folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process keeps its counters there.
    #[error("another program keeps its counters in {folder}; stop it, or give each line its own health.state", folder = folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
}

/// The counters of a line on disk, open in one process at a time.
#[derive(Debug)]
pub struct CounterFile {
    folder: PathBuf,
    /// `None` while unavailable: the previous ones were removed or replaced.
    slots: Option<Slots>,
    /// Index of the slot to write next.
    next: usize,
    sequence: u64,
    /// What the slots hold; `None` if that is unknown.
    saved: Option<Counters>,
    saved_at: Option<Moment>,
    every: Duration,
    /// How often the slots were removed or replaced.
    replaced: u64,
    /// Why the last save failed.
    failure: Option<String>,
}

impl CounterFile {
    /// Opens the counters in a folder, which is created if it doesn't exist. Returns those of the last run with the run
    /// number raised by one, already saved to disk. Damaged slots count as absent and are reported.
    ///
    /// # Errors
    /// [`CounterFileError`]
    pub fn open(folder: &Path) -> Result<(Self, Counters), CounterFileError> {
        let (slots, found) = open_slots(folder)?;
        if found.is_none() && !slots.are_empty() {
            tracing::error!("the counters in {} are damaged; counting restarts at zero", folder.display());
        }
        let mut counters = found.map_or_else(Counters::default, |newest| newest.counters);
        counters.run = counters.run.saturating_add(1);
        let mut file = Self {
            folder: folder.to_owned(),
            slots: Some(slots),
            next: next_slot(found),
            sequence: found.map_or(0, |newest| newest.sequence),
            saved: None,
            saved_at: None,
            every: SAVE_INTERVAL,
            replaced: 0,
            failure: None,
        };
        file.write_both(&counters)?;
        Ok((file, counters))
    }

    /// Saves the counters if they changed and the last save is a second ago; returns whether it did. If the folder was
    /// removed or replaced, they continue in the current one, which is created if it doesn't exist.
    ///
    /// # Errors
    /// If writing fails, or another program keeps its counters in the current folder; the next call tries again.
    pub fn save(&mut self, counters: &Counters, now: Moment) -> Result<bool, CounterFileError> {
        let due = self.saved_at.is_none_or(|at| now.since(at) >= self.every);
        if !due || self.is_saved(counters) {
            return Ok(false);
        }
        self.saved_at = Some(now);
        self.save_now(counters)?;
        Ok(true)
    }

    /// Saves the counters if they changed, at the end of a run.
    ///
    /// # Errors
    /// See [`Self::save`].
    pub fn save_now(&mut self, counters: &Counters) -> Result<(), CounterFileError> {
        if self.is_saved(counters) {
            return Ok(());
        }
        let written = self.write_in_place(counters);
        self.failure = written.as_ref().err().map(ToString::to_string);
        written
    }

    /// Returns what is wrong: why the last save failed, and that the counters were removed or replaced.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let replaced = (self.replaced > 0).then(|| {
            format!(
                "the counters in {} were removed or replaced while the line ran (occurrences: {}), and counting continued \
                 in what was there then; leave that folder alone",
                self.folder.display(),
                self.replaced
            )
        });
        self.failure.clone().into_iter().chain(replaced)
    }

    /// Returns whether the folder is no longer available: it may belong to another program.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.slots.is_none()
    }

    fn are_in_place(&self) -> bool {
        self.slots.as_ref().is_some_and(|slots| slots.are_in(&self.folder))
    }

    fn is_saved(&self, counters: &Counters) -> bool {
        self.saved.as_ref() == Some(counters) && self.are_in_place()
    }

    fn write_in_place(&mut self, counters: &Counters) -> Result<(), CounterFileError> {
        if self.are_in_place() {
            return self.write(counters).map_err(|source| self.io(source));
        }
        if self.slots.is_some() {
            self.replaced += 1;
            limited!(warn, "the counters in {} were removed or replaced", self.folder.display());
        }
        // Unlock first: one of the files may still be in the folder.
        (self.slots, self.saved) = (None, None);
        let (slots, found) = open_slots(&self.folder)?;
        self.next = next_slot(found);
        // These may be older counters of ours, or some that another program left meanwhile: the running line's win.
        self.sequence = self.sequence.max(found.map_or(0, |newest| newest.sequence));
        self.slots = Some(slots);
        self.write_both(counters)
    }

    /// Writes both slots, so that later saves overwrite space that is already allocated on the disk.
    fn write_both(&mut self, counters: &Counters) -> Result<(), CounterFileError> {
        let both = SLOT_NAMES.iter().try_for_each(|_| self.write(counters));
        both.and_then(|()| sync_folder(&self.folder)).map_err(|source| self.io(source))
    }

    fn write(&mut self, counters: &Counters) -> io::Result<()> {
        let sequence = self.sequence.saturating_add(1);
        let bytes = slot::encode(sequence, counters)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the counters don't fit in a slot"))?;
        self.slots.as_ref().ok_or(io::ErrorKind::NotFound)?.write(self.next, &bytes)?;
        // Only now that this slot is intact does the next save leave it alone.
        self.next = 1 - self.next;
        self.sequence = sequence;
        self.saved = Some(*counters);
        Ok(())
    }

    fn io(&self, source: io::Error) -> CounterFileError {
        CounterFileError::Io { folder: self.folder.clone(), source }
    }
}

/// Opens and locks the slots in a folder, and reads what was saved there last.
fn open_slots(folder: &Path) -> Result<(Slots, Option<NewestSlot>), CounterFileError> {
    let slots = Slots::open(folder)?;
    let found =
        slots.newest().map_err(|source| CounterFileError::Io { folder: folder.to_owned(), source })?;
    Ok((slots, found))
}

/// Returns the slot that the next save overwrites: not the newest intact one.
fn next_slot(found: Option<NewestSlot>) -> usize {
    found.map_or(0, |newest| 1 - newest.index)
}

#[cfg(test)]
#[path = "counter_file_tests.rs"]
mod tests;
