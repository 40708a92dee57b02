//! Natural photos: what a student must not learn to imitate, and what a teacher is distilled on.

use std::path::{Path, PathBuf};

use judge::has_image_extension;
use judge::{Preparer, decode_file};
use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
use tch::{Kind, Tensor};

/// Folders in folders.
const MAX_DEPTH: usize = 16;

/// Why a folder of natural photos can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NaturalError {
    /// It can't be listed.
    #[error("{folder}: {source}; check the folder of natural photos", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error(
        "{0} holds no readable photos; give a folder of natural photos (JPEG, PNG …), or of folders with them"
    )]
    Empty(PathBuf),
    /// It has changed.
    #[error(
        "{folder} holds {found} natural photos now and held {expected} at the start; put them back, or start anew",
        folder = folder.display()
    )]
    Changed {
        /// The folder.
        folder: PathBuf,
        /// Photos at the start.
        expected: usize,
        /// Photos now.
        found: usize,
    },
}

/// The photos in a folder and in the folders in it, sorted.
///
/// # Errors
/// Where a folder can't be listed or there are none.
pub fn natural_photos(folder: &Path) -> Result<Vec<PathBuf>, NaturalError> {
    let mut found = Vec::new();
    collect(folder, 0, &mut found)
        .map_err(|source| NaturalError::Folder { folder: folder.to_owned(), source })?;
    found.sort();
    if found.is_empty() { Err(NaturalError::Empty(folder.to_owned())) } else { Ok(found) }
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth < MAX_DEPTH {
            collect(&path, depth + 1, found)?;
        } else if path.is_file() && has_image_extension(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Photos as tensors.
#[derive(Debug)]
pub struct Natural {
    folder: PathBuf,
    paths: Vec<PathBuf>,
    size: Size,
    colour: Preparer,
    grey: Preparer,
}

impl Natural {
    /// The photos of `folder`, resized to `size` whatever their aspect. `expected` is their number at an earlier start.
    ///
    /// # Errors
    /// Where there are none, or another number than expected.
    pub fn open(folder: &Path, size: Size, expected: Option<usize>) -> Result<Self, NaturalError> {
        let paths = natural_photos(folder)?;
        if let Some(expected) = expected.filter(|&n| n != paths.len()) {
            return Err(NaturalError::Changed { folder: folder.to_owned(), expected, found: paths.len() });
        }
        // Photos come in every size.
        let (min, max) = (Size { width: 1, height: 1 }, Size { width: u32::MAX, height: u32::MAX });
        let frames = FrameRange { min, max };
        let preparer =
            |colour| Preparer::new(Recipe { input: size, roi: None, tiles: Tiles::ONE, colour, frames });
        let (colour, grey) = (preparer(Colour::Rgb), preparer(Colour::Grey));
        Ok(Self { folder: folder.to_owned(), paths, size, colour, grey })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Photo number `index` as 1×3×H×W, RGB 0..1, on the CPU; as grey where asked for. In place of one that can't be read
    /// comes the next that can.
    ///
    /// # Errors
    /// Where none can be read.
    pub fn photo(&mut self, index: usize, grey: bool) -> Result<Tensor, NaturalError> {
        let preparer = if grey { &mut self.grey } else { &mut self.colour };
        let mut planes = Vec::new();
        for at in index..index + self.paths.len() {
            let Ok(frame) = decode_file(&self.paths[at % self.paths.len()]) else { continue };
            if preparer.prepare(&frame, &mut planes).is_ok() {
                let shape = [1, 3, i64::from(self.size.height), i64::from(self.size.width)];
                return Ok(Tensor::from_slice(&planes).reshape(shape).to_kind(Kind::Float));
            }
        }
        Err(NaturalError::Empty(self.folder.clone()))
    }
}
