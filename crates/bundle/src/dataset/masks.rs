//! Which mask belongs to which test image.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::listing::{Unlisted, Unused, list, list_below};
use super::names::file_name;
use super::{DataError, readable};

/// What data sets put behind an image's name to name its mask.
const SUFFIXES: [&str; 4] = ["mask", "gt", "label", "seg"];

/// The masks of a data set, by the image that they belong to.
///
/// In `ground_truth/KIND` or right below `ground_truth`, a mask has its image's path, whatever the extension, perhaps with
/// `_mask`, `_gt`, `_label` or `_seg` behind it (upper or lower case; MVTec AD, BTAD, VisA); or it is one of several in a
/// folder that has its image's name (MVTec LOCO).
#[derive(Debug, Default)]
pub struct Masks {
    /// Kind (empty: any), image's path in its kind's folder without extension → files.
    files: BTreeMap<(String, PathBuf), Vec<PathBuf>>,
    used: BTreeSet<PathBuf>,
}

impl Masks {
    /// Adds the masks of `ground_truth` or whatever the folder is called.
    ///
    /// # Errors
    /// If it can't be listed.
    pub(super) fn add_root(&mut self, root: &Path) -> Result<(), DataError> {
        let top = readable(root, list)?;
        self.add(String::new(), root, top.images);
        for kind in &top.folders {
            self.add(file_name(kind), kind, readable(kind, list_below)?.images);
        }
        Ok(())
    }

    fn add(&mut self, kind: String, folder: &Path, files: Vec<PathBuf>) {
        for file in files {
            let relative = file.strip_prefix(folder).unwrap_or(&file).with_extension("");
            for key in keys(&relative) {
                self.files.entry((kind.clone(), key)).or_default().push(file.clone());
            }
        }
    }

    /// The masks of the image with this path in the folder of its kind.
    pub(super) fn of(&mut self, kind: &str, image: &Path) -> Vec<PathBuf> {
        let stem = image.with_extension("");
        let found = [kind, ""].iter().find_map(|kind| self.files.get(&((*kind).to_owned(), stem.clone())));
        let found = found.cloned().unwrap_or_default();
        self.used.extend(found.iter().cloned());
        found
    }

    /// The masks that belong to no image.
    pub(super) fn left(self) -> Unused {
        let mut unused = Unused::default();
        let all: BTreeSet<PathBuf> = self.files.into_values().flatten().collect();
        all.difference(&self.used).for_each(|path| unused.add(Unlisted::Mask, path));
        unused
    }
}

/// The images that a mask with this path may belong to: of its own name, of its name without the suffix, of its folder's.
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
    use crate::dataset::listing::Unlisted;
    use crate::dataset::{test_images, touch};

    /// Masks of each defective image.
    fn masks(files: &[&str]) -> (Vec<usize>, usize) {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["test/good/1.png", "test/hole/2.png", "test/hole/3.v2.png"]);
        touch(root.path(), files);
        let set = test_images(root.path()).unwrap();
        let counts = set.images.iter().filter(|image| image.is_defective()).map(|image| image.masks.len());
        (counts.collect(), set.unused.count(Unlisted::Mask))
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
}
