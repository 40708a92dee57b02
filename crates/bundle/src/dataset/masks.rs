//! Matches masks to test images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::listing::{Listing, Unused, UnusedReason, list, list_below};
use super::names::file_name;
use super::{DataError, readable};

/// Suffixes that data sets append to an image's name for its mask.
const SUFFIXES: [&str; 4] = ["mask", "gt", "label", "seg"];

/// The masks of a data set, by the image that they belong to.
///
/// In `ground_truth/KIND` or directly in `ground_truth`, a mask has its image's path with any extension, optionally with
/// the suffix `_mask`, `_gt`, `_label` or `_seg` (upper or lower case; MVTec AD, BTAD, VisA); or it is one of several in a
/// folder with its image's name (MVTec LOCO).
#[derive(Debug, Default)]
pub struct Masks {
    /// Kind (empty: any) and image's path in its kind's folder without extension → files.
    files: BTreeMap<(String, PathBuf), Vec<PathBuf>>,
    used: BTreeSet<PathBuf>,
    /// Files in the mask folders that can't be masks, such as annotations in another format.
    others: Unused,
}

impl Masks {
    /// Adds the masks of a mask folder such as `ground_truth`.
    ///
    /// # Errors
    /// If it can't be listed.
    pub(super) fn add_root(&mut self, root: &Path) -> Result<(), DataError> {
        let top = readable(root, list)?;
        for kind in &top.folders {
            self.add(&file_name(kind), kind, readable(kind, list_below)?);
        }
        self.add("", root, top);
        Ok(())
    }

    fn add(&mut self, kind: &str, folder: &Path, found: Listing) {
        self.others.merge(found.unused);
        for file in found.images {
            let relative = file.strip_prefix(folder).unwrap_or(&file).with_extension("");
            for key in keys(&relative) {
                self.files.entry((kind.to_owned(), key)).or_default().push(file.clone());
            }
        }
    }

    /// Returns the masks of the image with this path in its kind's folder.
    pub(super) fn of(&mut self, kind: &str, image: &Path) -> Vec<PathBuf> {
        let stem = image.with_extension("");
        let found = [kind, ""].iter().find_map(|kind| self.files.get(&((*kind).to_owned(), stem.clone())));
        let found = found.cloned().unwrap_or_default();
        self.used.extend(found.iter().cloned());
        found
    }

    /// Returns the masks that belong to no image, and files that can't be masks.
    pub(super) fn unused(self) -> Unused {
        let mut unused = self.others;
        let all: BTreeSet<PathBuf> = self.files.into_values().flatten().collect();
        all.difference(&self.used).for_each(|path| unused.add(UnusedReason::Mask, path));
        unused
    }
}

/// Returns the images that a mask with this path may belong to: one with its name, with its name without the suffix, or
/// with its folder's name.
fn keys(mask: &Path) -> Vec<PathBuf> {
    let mut keys = vec![mask.to_owned()];
    let name = file_name(mask);
    let lower = name.to_ascii_lowercase();
    let cut = SUFFIXES.iter().find_map(|suffix| {
        let before = lower.strip_suffix(suffix)?;
        before.ends_with(['_', '-', '.', ' ']).then(|| before.len() - 1)
    });
    if let Some(image) = cut.and_then(|at| name.get(..at)).filter(|image| !image.is_empty()) {
        keys.push(mask.with_file_name(image));
    }
    if let Some(folder) = mask.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        keys.push(folder.to_owned());
    }
    keys
}

#[cfg(test)]
mod tests {
    use crate::dataset::listing::UnusedReason;
    use crate::dataset::{test_images, touch};

    /// Counts the masks of each defective image, and those left over.
    fn masks(files: &[&str]) -> (Vec<usize>, usize) {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["test/good/1.png", "test/hole/2.png", "test/hole/3.v2.png"]);
        touch(root.path(), files);
        let set = test_images(root.path()).unwrap();
        let counts = set.images.iter().filter(|image| image.is_defective()).map(|image| image.masks.len());
        (counts.collect(), set.unused.count(UnusedReason::Mask))
    }

    #[test]
    fn masks_are_found_by_every_name_that_data_sets_use() {
        for (folder, two, three) in [
            ("ground_truth/hole", "2_mask.png", "3.v2_mask.PNG"),
            ("ground_truth/hole", "2.png", "3.v2.bmp"),
            ("ground_truth/hole", "2_GT.png", "3.v2-gt.jpeg"),
            ("masks/hole", "2.tiff", "3.v2.mask.png"),
            ("ground_truth", "2.png", "3.v2_label.png"),
            ("Ground_Truth/hole", "2_seg.png", "3.v2.png"),
            ("test/ground_truth/hole", "2_mask.png", "3.v2_mask.png"),
        ] {
            let files = [format!("{folder}/{two}"), format!("{folder}/{three}")];
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            assert_eq!(masks(&files), (vec![1, 1], 0), "{files:?}");
        }
    }

    #[test]
    fn a_folder_for_an_image_holds_all_its_masks() {
        let files =
            ["ground_truth/hole/2/000.png", "ground_truth/hole/2/001.png", "ground_truth/hole/3.v2/000.png"];
        assert_eq!(masks(&files), (vec![2, 1], 0));
    }

    #[test]
    fn masks_without_an_image_are_counted() {
        let files =
            ["ground_truth/hole/2_mask.png", "ground_truth/hole/9_mask.png", "ground_truth/dent/2_mask.png"];
        assert_eq!(masks(&files), (vec![1, 0], 2));
    }

    #[test]
    fn files_that_cannot_be_masks_are_counted() {
        let root = tempfile::tempdir().unwrap();
        let files = ["ground_truth/hole/2_mask.gif", "ground_truth/hole/._2_mask.png", "ground_truth/2.json"];
        touch(root.path(), &["test/good/1.png", "test/hole/2.png"]);
        touch(root.path(), &files);
        let unused = test_images(root.path()).unwrap().unused;
        assert_eq!((unused.count(UnusedReason::NoImage), unused.count(UnusedReason::Hidden)), (2, 1));
    }
}
