//! Image folders: which images are there, which of them can be used, and who gets which.
//!
//! Two layouts are read. **MVTec AD**: `train/good`, `test/good`, `test/<defect>`, `ground_truth/<defect>/<name>_mask.*`.
//! **Plain**: the folder itself holds good images, or its subfolder `good` does and the other subfolders hold defects.

mod layout;
mod split;
mod survey;

pub use layout::{GOOD, TestImage, normal_images, test_images, tests_on_training_images};
pub use split::{MIN_NORMALS, Split, split};
pub use survey::{SkipReason, Skipped, Survey, survey};

use std::path::PathBuf;

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder or a part of it can't be listed.
    #[error("can't read the folder {folder}: {source}; check the path", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No image files where good images should be.
    #[error("{folder} holds no images of good parts; put them there, or into train/good or good below it (jpg, png, bmp, tif, webp, pgm, ppm)", folder = folder.display())]
    NoNormals {
        /// The folder given.
        folder: PathBuf,
    },
    /// No test images.
    #[error("{folder} holds no test images; evaluation needs test/good and test/<defect>, or good and <defect>, below it", folder = folder.display())]
    NoTest {
        /// The folder given.
        folder: PathBuf,
    },
    /// Too few usable images.
    #[error("{usable} usable image(s) of good parts in {folder}; at least {MIN_NORMALS} are needed, to learn from, to choose the checkpoint and to calibrate on different parts", folder = folder.display())]
    TooFew {
        /// The folder given.
        folder: PathBuf,
        /// Images that decode and have a sensible size.
        usable: usize,
    },
}
