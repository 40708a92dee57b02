//! What folder names in data sets mean.

use std::path::{Path, PathBuf};

/// The kind of normal images, whatever their folder is called.
pub const GOOD: &str = "good";
/// Names of folders of good parts, lower case: those of MVTec AD and BTAD, and other common ones.
pub const GOOD_NAMES: [&str; 5] = [GOOD, "ok", "normal", "defect_free", "defect-free"];
/// Names of folders of test images with known answers, in search order.
pub(super) const TEST_NAMES: [&str; 2] = ["test", "test_public"];
/// What the names of all folders of test images begin with, those without known answers included.
pub(super) const TEST_PREFIX: &str = "test";
/// Names of folders of masks.
pub(super) const MASK_NAMES: [&str; 3] = ["ground_truth", "masks", "mask"];
/// Names of folders beside the test images that serve another purpose.
pub(super) const TRAINING_NAMES: [&str; 3] = ["train", "validation", "val"];

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns whether the last component of the path is one of these names, ignoring case.
pub(super) fn is_named(path: &Path, names: &[&str]) -> bool {
    let own = file_name(path);
    names.iter().any(|name| name.eq_ignore_ascii_case(&own))
}

/// Returns those of `folders` that have one of these names.
pub(super) fn named(folders: &[PathBuf], names: &[&str]) -> Vec<PathBuf> {
    folders.iter().filter(|path| is_named(path, names)).cloned().collect()
}
