//! Finds and reads records, decided or not.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::decision::{Entry, History};
use super::description::Description;
use super::error::ReviewError;
use crate::record::{DECIDED_FOLDER, FRAME_FILES, PASSED_FOLDER, RECORD_FILES, RecordName};

/// Where a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Among the rejects and faults, of which the oldest are dropped.
    Rejected,
    /// In the sample of passed parts, of which the oldest are dropped.
    Passed,
    /// Among those that a person has decided on.
    Decided,
}

impl Place {
    /// All places. A record that is found twice, because it is being moved, counts as in the last of them.
    pub const ALL: [Self; 3] = [Self::Rejected, Self::Passed, Self::Decided];

    /// Returns the place's folder below the folder of records.
    #[must_use]
    pub fn folder(self, records: &Path) -> PathBuf {
        match self {
            Self::Rejected => records.to_owned(),
            Self::Passed => records.join(PASSED_FOLDER),
            Self::Decided => records.join(DECIDED_FOLDER),
        }
    }
}

/// A record and what was decided about it.
#[derive(Debug, Clone)]
pub struct ReviewedRecord {
    /// Its name.
    pub name: RecordName,
    /// Where it is kept.
    pub place: Place,
    /// Its folder.
    pub folder: PathBuf,
    /// What the line recorded.
    pub description: Description,
    /// What was decided.
    pub history: History,
}

impl ReviewedRecord {
    /// Returns the decision that holds.
    #[must_use]
    pub fn decision(&self) -> Option<&Entry> {
        self.history.current()
    }

    /// Returns the file of the frame itself; `None` if it was not kept.
    #[must_use]
    pub fn frame(&self) -> Option<PathBuf> {
        self.existing(&FRAME_FILES).next()
    }

    /// Returns the record's files.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.existing(&RECORD_FILES).collect()
    }

    fn existing(&self, names: &'static [&'static str]) -> impl Iterator<Item = PathBuf> + use<'_> {
        names.iter().map(|name| self.folder.join(name)).filter(|path| path.is_file())
    }
}

/// A record that can't be used.
#[derive(Debug)]
pub struct DamagedRecord {
    /// Its name.
    pub name: RecordName,
    /// The reason.
    pub reason: ReviewError,
}

/// The records of a line.
#[derive(Debug, Default)]
pub struct RecordListing {
    /// Records, oldest first.
    pub records: Vec<ReviewedRecord>,
    /// Records with damaged files, oldest first.
    pub damaged: Vec<DamagedRecord>,
}

/// The folder of a line's records.
#[derive(Debug, Clone)]
pub struct Review {
    pub(super) records: PathBuf,
    pub(super) max_decided: u64,
}

impl Review {
    /// Opens the folder of a line's records; the decided ones may take `max_decided` bytes.
    ///
    /// # Errors
    /// [`ReviewError::Folder`] if there is none.
    pub fn open(records: &Path, max_decided: u64) -> Result<Self, ReviewError> {
        let failed = |source| ReviewError::Folder { folder: records.to_owned(), source };
        std::fs::read_dir(records).map_err(failed)?;
        Ok(Self { records: records.to_owned(), max_decided })
    }

    /// Returns the folder of all records.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.records
    }

    /// Lists all records, oldest first. Damaged ones are named beside them.
    ///
    /// # Errors
    /// [`ReviewError::Folder`] if a folder can't be read.
    pub fn list(&self) -> Result<RecordListing, ReviewError> {
        let mut found = BTreeMap::new();
        for place in Place::ALL {
            let folder = place.folder(&self.records);
            let failed = |source| ReviewError::Folder { folder: folder.clone(), source };
            for name in names(&folder).map_err(failed)? {
                found.insert(name, place);
            }
        }
        let mut listing = RecordListing::default();
        for (name, place) in found {
            match self.read(name, place) {
                Ok(record) => listing.records.push(record),
                // Dropped or moved a moment ago.
                Err(_) if !self.path(name, place).exists() => {}
                Err(reason) => listing.damaged.push(DamagedRecord { name, reason }),
            }
        }
        Ok(listing)
    }

    /// Returns the record with this name.
    ///
    /// # Errors
    /// [`ReviewError::Absent`] if it was dropped, or the damage.
    pub fn find(&self, name: RecordName) -> Result<ReviewedRecord, ReviewError> {
        let place = self.place_of(name).ok_or(ReviewError::Absent(name))?;
        self.read(name, place)
    }

    /// Returns where the record is.
    pub(super) fn place_of(&self, name: RecordName) -> Option<Place> {
        let is_there = |place: &Place| {
            self.path(name, *place).symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
        };
        Place::ALL.into_iter().rev().find(is_there)
    }

    pub(super) fn path(&self, name: RecordName, place: Place) -> PathBuf {
        place.folder(&self.records).join(name.to_string())
    }

    fn read(&self, name: RecordName, place: Place) -> Result<ReviewedRecord, ReviewError> {
        let folder = self.path(name, place);
        let description =
            Description::read(&folder).map_err(|source| ReviewError::Description { name, source })?;
        let history = History::read(&folder).map_err(|source| ReviewError::History { name, source })?;
        Ok(ReviewedRecord { name, place, folder, description, history })
    }
}

/// Returns the names of the records in a folder; none if it doesn't exist.
fn names(folder: &Path) -> io::Result<Vec<RecordName>> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let name = |entry: &std::fs::DirEntry| RecordName::parse(entry.file_name().to_str()?);
    // Links are not followed: they lead to foreign files.
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut found = vec![];
    for entry in entries {
        let entry = entry?;
        found.extend(name(&entry).filter(|_| is_folder(&entry)));
    }
    Ok(found)
}

/// Returns the record that a text names: by its name, or by the path of its folder or of a file in it.
///
/// # Errors
/// [`ReviewError::Name`]
pub fn record_name(text: &str) -> Result<RecordName, ReviewError> {
    let names = text.trim().rsplit('/').filter_map(RecordName::parse);
    names.take(1).next().ok_or_else(|| ReviewError::Name(text.to_owned()))
}
