//! Natural photos: a student must not learn to imitate its teacher on them, and a teacher is distilled on them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bundle::dataset::listing::{Listing, list_below};
use judge::{DecodeError, PrepareError, Preparer, decode_file};
use shared_format::{Colour, FrameRange, Recipe, Size, Tiles};
use tch::{Kind, Tensor};

/// Why a folder of natural photos can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NaturalError {
    /// The folder can't be listed.
    #[error("{folder}: {source}; check the folder of natural photos", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder holds no usable photo.
    #[error(
        "{folder} holds no readable photos; give a folder of natural photos (JPEG, PNG …), or of subfolders with them{unused}",
        folder = folder.display()
    )]
    Empty {
        /// The folder.
        folder: PathBuf,
        /// The end of the sentence: files that aren't used.
        unused: String,
    },
    /// The folder has changed.
    #[error(
        "{folder} holds {found} natural photos now and held {expected} at the start; put them back, or start a new run",
        folder = folder.display()
    )]
    Changed {
        /// The folder.
        folder: PathBuf,
        /// Number of photos at the start.
        expected: usize,
        /// Number of photos now.
        found: usize,
    },
}

/// Lists the photos in a folder and its subfolders, sorted.
///
/// # Errors
/// If a folder can't be listed or there are none.
fn natural_photos(folder: &Path) -> Result<Listing, NaturalError> {
    let mut found =
        list_below(folder).map_err(|source| NaturalError::Folder { folder: folder.to_owned(), source })?;
    found.images.sort();
    if found.images.is_empty() {
        let unused = found.unused.appendix(folder);
        return Err(NaturalError::Empty { folder: folder.to_owned(), unused });
    }
    Ok(found)
}

/// Counts the photos at the start of a run and reports files that aren't used.
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
    /// Unreadable photos that were already reported.
    unusable: BTreeSet<usize>,
    size: Size,
    colour: Preparer,
    grey: Preparer,
}

impl Natural {
    /// Opens the photos of `folder`, which are resized to `size` whatever their aspect ratio. `expected` is their number at an
    /// earlier start.
    ///
    /// # Errors
    /// If there are none, or their number differs from `expected`.
    pub fn open(folder: &Path, size: Size, expected: Option<usize>) -> Result<Self, NaturalError> {
        let paths = natural_photos(folder)?.images;
        if let Some(expected) = expected.filter(|&n| n != paths.len()) {
            return Err(NaturalError::Changed { folder: folder.to_owned(), expected, found: paths.len() });
        }
        // Photos may have any size.
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
                reference_patch: None,
            })
        };
        let (colour, grey) = (preparer(Colour::Rgb), preparer(Colour::Grey));
        let unusable = BTreeSet::new();
        Ok(Self { folder: folder.to_owned(), paths, unusable, size, colour, grey })
    }

    /// Returns the number of photos.
    #[must_use]
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Returns photo number `index` as 1×3×H×W, RGB 0..1, on the CPU, in grey if requested. An unreadable photo is replaced by the
    /// next readable one.
    ///
    /// # Errors
    /// If none can be read.
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
                        "not used: {}: {reason}; another photo is used instead",
                        self.paths[at].display()
                    );
                }
                Err(_) => {}
            }
        }
        Err(NaturalError::Empty { folder: self.folder.clone(), unused: String::new() })
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
