//! Parts from a folder: each image is a part with one frame, each sub-folder a part with several.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use judge::{Frame, decode, file_sha256, has_image_extension, read_file};

use super::{PartError, PartSource, SourcedPart};
use crate::trigger::waiting::TriggerError;

/// Why a folder has no parts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// It can't be read.
    #[error("cannot read the folder {folder}; check the path", folder = folder.display())]
    Read {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds neither an image nor a folder.
    #[error(
        "no parts in {folder}; give a folder with images, or with a folder for each part",
        folder = folder.display()
    )]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
}

/// The parts of a folder, in name order.
#[derive(Debug)]
pub struct FolderParts {
    parts: std::vec::IntoIter<PathBuf>,
    /// What was read already: a copy is no further evidence.
    seen: HashMap<[u8; 32], PathBuf>,
}

impl FolderParts {
    /// Lists the folder.
    ///
    /// # Errors
    /// [`FolderError`]
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let mut parts =
            entries(folder).map_err(|source| FolderError::Read { folder: folder.to_owned(), source })?;
        parts.retain(|path| path.is_dir() || has_image_extension(path));
        if parts.is_empty() {
            return Err(FolderError::Empty { folder: folder.to_owned() });
        }
        Ok(Self { parts: parts.into_iter(), seen: HashMap::new() })
    }

    fn frames(&mut self, part: &Path) -> Result<Vec<Frame>, PartError> {
        if !part.is_dir() {
            return Ok(vec![self.frame(part)?]);
        }
        let mut images = entries(part).map_err(PartError::Folder)?;
        images.retain(|path| has_image_extension(path));
        images.iter().map(|path| self.frame(path)).collect()
    }

    fn frame(&mut self, path: &Path) -> Result<Frame, PartError> {
        let file = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let refused = |source| PartError::File { file: file(), source };
        let bytes = read_file(path).map_err(refused)?;
        let frame = decode(&bytes).map_err(refused)?;
        match self.seen.insert(file_sha256(&bytes), path.to_owned()) {
            Some(original) => Err(PartError::Copy { file: file(), original }),
            None => Ok(frame),
        }
    }
}

impl PartSource for FolderParts {
    fn next_part(&mut self) -> Result<Option<SourcedPart>, TriggerError> {
        let Some(path) = self.parts.next() else { return Ok(None) };
        Ok(Some(SourcedPart { name: path.display().to_string(), frames: self.frames(&path) }))
    }
}

/// Everything in a folder but hidden files, in name order.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
