//! Reads good parts from a folder.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use bundle::dataset::LookAlikes;
use bundle::dataset::listing::Unused;
use judge::{Frame, decode_file};

use super::{CalibrationPart, PartError, PartSource};
use crate::files::parts::{PartFiles, PartListing, look_alike_warnings};
use crate::trigger::source::TriggerError;

/// Reason why a folder yields no parts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder can't be read.
    #[error("cannot read the folder {folder}; check the path", folder = folder.display())]
    Read {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder holds no images, nor subfolders with images.
    #[error(
        "no parts in {folder}; provide a folder with images, or with a subfolder for each part{unused}",
        folder = folder.display()
    )]
    Empty {
        /// The folder.
        folder: PathBuf,
        /// The end of the sentence: files that aren't used.
        unused: String,
    },
}

/// The parts of a folder, in name order; see [`PartListing::list`].
#[derive(Debug)]
pub struct FolderParts {
    parts: std::vec::IntoIter<PartFiles>,
    unused: Unused,
    /// Files already read, by a hash of their pixels: a copy adds no evidence.
    seen: HashMap<[u8; 32], PathBuf>,
    /// The frames so far; a photo saved twice in a lossy format adds no evidence either.
    look_alikes: LookAlikes,
    /// The file of each of these frames, and the number of its part.
    files: Vec<(PathBuf, usize)>,
}

impl FolderParts {
    /// Lists the folder.
    ///
    /// # Errors
    /// [`FolderError`]
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let found = PartListing::list(folder)
            .map_err(|source| FolderError::Read { folder: folder.to_owned(), source })?;
        if found.parts.is_empty() {
            let unused = found.unused.appendix(folder);
            return Err(FolderError::Empty { folder: folder.to_owned(), unused });
        }
        Ok(Self {
            parts: found.parts.into_iter(),
            unused: found.unused,
            seen: HashMap::new(),
            look_alikes: LookAlikes::default(),
            files: vec![],
        })
    }

    /// Returns the files that belong to no part.
    #[must_use]
    pub const fn unused(&self) -> &Unused {
        &self.unused
    }

    fn frame(&mut self, path: &Path) -> Result<Frame, PartError> {
        let file = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let frame = decode_file(path).map_err(|source| PartError::File { file: file(), source })?;
        match self.seen.entry(frame.sha256()) {
            Entry::Occupied(first) => Err(PartError::Copy { file: file(), original: first.get().clone() }),
            Entry::Vacant(entry) => {
                entry.insert(path.to_owned());
                self.look_alikes.add(&frame);
                // All frames of a part are read while the same number of parts is left.
                self.files.push((path.to_owned(), self.parts.len()));
                Ok(frame)
            }
        }
    }
}

impl PartSource for FolderParts {
    fn next_part(&mut self) -> Result<Option<CalibrationPart>, TriggerError> {
        let Some(PartFiles { name, frames }) = self.parts.next() else { return Ok(None) };
        Ok(Some(CalibrationPart { name, frames: frames.iter().map(|path| self.frame(path)).collect() }))
    }

    fn warnings(&self) -> Vec<String> {
        let of_two_parts = |(copy, first): (usize, usize)| {
            let ((copy, part), (first, other)) = (self.files.get(copy)?, self.files.get(first)?);
            (part != other).then(|| (copy.clone(), first.clone()))
        };
        let pairs: Vec<_> = self.look_alikes.find().into_iter().filter_map(of_two_parts).collect();
        look_alike_warnings(&pairs)
    }
}
