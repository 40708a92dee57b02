//! Image folders: finds images, checks which can be used, and splits them.
//!
//! | layout | good parts to learn from | test images |
//! |---|---|---|
//! | MVTec AD | `train/good` | `test/good`, `test/KIND`, masks in `ground_truth/KIND` |
//! | MVTec AD 2 | `train/good` | `test_public/good`, `test_public/bad`, masks in `test_public/ground_truth/bad` |
//! | plain | `good`, or the folder itself | `good`, `KIND` |
//!
//! A folder of good parts may be called `good`, `ok`, `normal` or `defect_free`, in upper or lower case. Every listing counts
//! the files that aren't used and says why, see [`listing`].

mod duplicates;
pub mod listing;
mod masks;
mod names;
mod normals;
mod split;
mod survey;
mod test_set;

pub use duplicates::LookAlikes;
pub use names::{GOOD, GOOD_NAMES};
pub use normals::{Normals, normal_images, tests_on_training_images};
pub use split::{MIN_NORMALS, Split, split};
pub use survey::{SkipReason, Skipped, Survey, survey};
pub use test_set::{TestImage, TestSet, test_images};

use std::path::{Path, PathBuf};

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder or one of its subfolders can't be listed.
    #[error("can't read the folder {folder}: {source}; check the path", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder contains no images of good parts.
    #[error("{folder} contains no images of good parts; put them there, or into its subfolder train/good or good (jpg, png, bmp, tif, webp, pgm, ppm){others}{unused}", folder = folder.display(), others = elsewhere(others))]
    NoNormals {
        /// The folder given.
        folder: PathBuf,
        /// Names of its subfolders that contain images.
        others: Vec<String>,
        /// The end of the sentence: files that aren't used.
        unused: String,
    },
    /// No test images.
    #[error("{folder} contains no test images; evaluation needs the subfolders test/good and test/<defect>, or good and <defect>{unused}", folder = folder.display())]
    NoTest {
        /// The folder given.
        folder: PathBuf,
        /// The end of the sentence: files that aren't used.
        unused: String,
    },
    /// Too few usable images.
    #[error("{usable} usable image(s) of good parts in {folder}; at least {MIN_NORMALS} different ones are needed, since training, choosing the checkpoint and calibrating each need different parts", folder = folder.display())]
    TooFew {
        /// The folder given.
        folder: PathBuf,
        /// Images that decode and have a usable size.
        usable: usize,
    },
}

fn elsewhere(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; images are in {}", others.join(", ")) }
}

/// Lists a folder that must exist.
fn readable(
    folder: &Path,
    list: fn(&Path) -> std::io::Result<listing::Listing>,
) -> Result<listing::Listing, DataError> {
    list(folder).map_err(|source| DataError::Folder { folder: folder.to_owned(), source })
}

/// Creates files with these names.
#[cfg(test)]
fn touch(root: &Path, names: &[impl AsRef<Path>]) {
    for name in names {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }
}
