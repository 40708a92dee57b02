//! What the names of folders in data sets stand for.

use std::path::{Path, PathBuf};

/// Name of the kind of normal images, whatever their folder is called.
pub const GOOD: &str = "good";
/// Names of folders of good parts, lower case: MVTec AD, BTAD, and what people write.
pub const GOOD_NAMES: [&str; 5] = [GOOD, "ok", "normal", "defect_free", "defect-free"];
/// Names of folders of test images whose answers are known, in the order in which they are looked for.
pub(super) const TEST_NAMES: [&str; 2] = ["test", "test_public"];
/// Names of folders of masks.
pub(super) const MASK_NAMES: [&str; 3] = ["ground_truth", "masks", "mask"];
/// Folders beside those of test images that are meant for something else.
pub(super) const TRAINING_NAMES: [&str; 3] = ["train", "validation", "val"];

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether the last part of the path is one of these names, upper or lower case.
pub(super) fn is_named(path: &Path, names: &[&str]) -> bool {
    let own = file_name(path);
    names.iter().any(|name| name.eq_ignore_ascii_case(&own))
}

/// Those of `folders` that have one of these names.
pub(super) fn named(folders: &[PathBuf], names: &[&str]) -> Vec<PathBuf> {
    folders.iter().filter(|path| is_named(path, names)).cloned().collect()
}
