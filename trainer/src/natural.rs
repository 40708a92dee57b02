//! Natural photos: what a student must not learn to imitate, and what a teacher is distilled on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bundle::dataset::listing::{Listing, list_below};
use judge::{DecodeError, PrepareError, Preparer, decode_file};
use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
use tch::{Kind, Tensor};

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
/// If a folder can't be listed or there are none.
fn natural_photos(folder: &Path) -> Result<Listing, NaturalError> {
    let mut found =
        list_below(folder).map_err(|source| NaturalError::Folder { folder: folder.to_owned(), source })?;
    found.images.sort();
    if found.images.is_empty() { Err(NaturalError::Empty(folder.to_owned())) } else { Ok(found) }
}

/// How many photos there are to start with; what isn't used is said.
///
/// # Errors
/// If a folder can't be listed or there are none.
pub fn count_natural_photos(folder: &Path) -> Result<usize, NaturalError> {
    let Listing { images, unused, .. } = natural_photos(folder)?;
    unused.line(folder).iter().for_each(|line| eprintln!("{line}"));
    Ok(images.len())
}

/// Photos as tensors.
#[derive(Debug)]
pub struct Natural {
    folder: PathBuf,
    paths: Vec<PathBuf>,
    /// Those that can't be read, once that was said.
    unusable: BTreeSet<usize>,
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
        let paths = natural_photos(folder)?.images;
        if let Some(expected) = expected.filter(|&n| n != paths.len()) {
            return Err(NaturalError::Changed { folder: folder.to_owned(), expected, found: paths.len() });
        }
        // Photos come in every size.
        let (min, max) = (Size { width: 1, height: 1 }, Size { width: u32::MAX, height: u32::MAX });
        let frames = FrameRange { min, max };
        let preparer = |colour| {
            Preparer::new(Recipe {
                input: size,
                roi: None,
                tiles: Tiles::ONE,
                colour,
                frames,
                alignment: None,
                ignore: None,
            })
        };
        let (colour, grey) = (preparer(Colour::Rgb), preparer(Colour::Grey));
        let unusable = BTreeSet::new();
        Ok(Self { folder: folder.to_owned(), paths, unusable, size, colour, grey })
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
            let at = at % self.paths.len();
            match read(&self.paths[at], preparer, &mut planes) {
                Ok(()) => {
                    let shape = [1, 3, i64::from(self.size.height), i64::from(self.size.width)];
                    return Ok(Tensor::from_slice(&planes).reshape(shape).to_kind(Kind::Float));
                }
                Err(reason) if self.unusable.insert(at) => {
                    eprintln!(
                        "not used: {}: {reason}; another photo stands in for it",
                        self.paths[at].display()
                    );
                }
                Err(_) => {}
            }
        }
        Err(NaturalError::Empty(self.folder.clone()))
    }
}

/// Why a photo can't be used.
#[derive(Debug, thiserror::Error)]
enum PhotoError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

fn read(path: &Path, preparer: &mut Preparer, planes: &mut Vec<f32>) -> Result<(), PhotoError> {
    preparer.prepare(&decode_file(path)?, planes)?;
    Ok(())
}
