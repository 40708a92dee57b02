//! Why defects can't be taught.

use std::path::PathBuf;

use bundle::dataset::DataError;
use bundle::evaluate::MaskError;
use judge::DecodeError;
use shared_format::taught_defects::MAX_KINDS;

/// Why defects can't be taught.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefectsError {
    /// The folder has no images of defects.
    #[error(transparent)]
    Folder(#[from] DataError),
    /// All images in the folder are of good parts, or can't be used.
    #[error(
        "{folder} has no usable images of defects; put them into one folder for each kind, such as {folder}/scratch{notes}",
        folder = folder.display(), notes = notes.iter().map(|note| format!("; {note}")).collect::<String>()
    )]
    None {
        /// The folder.
        folder: PathBuf,
        /// What isn't used, and why.
        notes: Vec<String>,
    },
    /// More kinds than a threshold file can name.
    #[error(
        "there are {0} kinds of defects; at most {MAX_KINDS} can be taught, so put similar kinds into one folder"
    )]
    TooManyKinds(usize),
    /// A kind's name is too long for the threshold file.
    #[error("the name of the kind `{0}` is longer than 32 bytes; rename its folder")]
    KindName(String),
    /// A good part was taught as a defect.
    #[error(
        "{} is the same picture as the good part {}: it can't be both; remove it from one of the folders",
        defect.display(), normal.display()
    )]
    Contradiction {
        /// The image among the defects.
        defect: PathBuf,
        /// The image among the good parts.
        normal: PathBuf,
    },
    /// An image of a defect doesn't decode.
    #[error("{}: {source}; replace the image, or remove it", path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// A mask can't be used.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// A file of boxes can't be used.
    #[error(
        "{}, line {line}: expected a class and a box (centre x, centre y, width, height as shares of the image, 0 to 1), such as \
         `0 0.5 0.25 0.1 0.05`",
        path.display()
    )]
    Boxes {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// A file of boxes can't be read.
    #[error("cannot read the boxes {}: {source}; check its permissions", path.display())]
    ReadBoxes {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: judge::ReadError,
    },
    /// The marked defect isn't in the region that is judged.
    #[error(
        "the defect marked in {} lies outside the region that is judged; move the region, or remove the image",
        .0.display()
    )]
    Outside(PathBuf),
    /// The method has no map of distances.
    #[error(
        "the method {0} can't be taught defects, because it gives no map of distances; use the default method"
    )]
    Method(&'static str),
    /// A setting that likeness to defects can't be combined with.
    #[error("defects can't be taught with {0}; leave one of the two out")]
    With(&'static str),
}
