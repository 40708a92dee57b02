//! Finds the images of good parts to learn from.

use std::path::{Path, PathBuf};

use super::listing::{Listing, Unused, UnusedReason, list, list_below};
use super::names::{
    GOOD_NAMES, MASK_NAMES, TEST_NAMES, TEST_PREFIX, TRAINING_NAMES, file_name, is_named, named,
};
use super::{DataError, readable};

/// Images of good parts, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normals {
    /// The images, sorted by folder and name.
    pub images: Vec<PathBuf>,
    /// The folders that they were taken from.
    pub folders: Vec<PathBuf>,
    /// Files that weren't taken.
    pub unused: Unused,
}

/// Finds the images of good parts to learn from: those in and below `train/good` or `good` (or another of
/// [`GOOD_NAMES`]); otherwise those in `train`, or in the folder itself.
///
/// # Errors
/// If the folder can't be listed or contains none.
pub fn normal_images(folder: &Path) -> Result<Normals, DataError> {
    let top = readable(folder, list)?;
    let train = named(&top.folders, &["train"]).into_iter().next();
    let within_train = train.as_deref().map(|train| readable(train, list)).transpose()?;
    let good = within_train.as_ref().map(|within| named(&within.folders, &GOOD_NAMES)).unwrap_or_default();
    let mut normals = Normals { images: vec![], folders: vec![], unused: Unused::default() };
    if let Some(within) = within_train.filter(|_| !good.is_empty()) {
        normals.take(good)?;
        normals.leave_beside(&within, |_| true);
        normals.leave_beside(&top, has_no_purpose);
    } else if let good = named(&top.folders, &GOOD_NAMES)
        && !good.is_empty()
    {
        normals.take(good)?;
        // The other folders beside it contain defects, for tests.
        normals.leave_beside(&top, |folder| is_named(folder, &TRAINING_NAMES));
    } else if is_named(folder, &GOOD_NAMES) {
        normals.take(vec![folder.to_owned()])?;
    } else {
        match train.filter(|_| top.images.is_empty()) {
            Some(train) => {
                normals.take_plain(&train)?;
                normals.leave_beside(&top, has_no_purpose);
            }
            None => normals.take_plain(folder)?,
        }
    }
    if normals.images.is_empty() {
        let has_others = |path: &&PathBuf| list_below(path).is_ok_and(|below| !below.images.is_empty());
        let others = top.folders.iter().filter(has_others).map(|path| file_name(path)).collect();
        let unused = normals.unused.appendix(folder);
        return Err(DataError::NoNormals { folder: folder.to_owned(), others, unused });
    }
    Ok(normals)
}

/// Returns whether [`super::test_images`] would take its good parts from the same folder that [`normal_images`]
/// learns from.
#[must_use]
pub fn tests_on_training_images(folder: &Path) -> bool {
    let Ok(top) = list(folder) else { return false };
    let in_train = |train: &PathBuf| list(train).is_ok_and(|l| !named(&l.folders, &GOOD_NAMES).is_empty());
    named(&top.folders, &TEST_NAMES).is_empty()
        && !named(&top.folders, &["train"]).iter().any(in_train)
        && !named(&top.folders, &GOOD_NAMES).is_empty()
}

impl Normals {
    /// Takes the images in and below the folders.
    fn take(&mut self, folders: Vec<PathBuf>) -> Result<(), DataError> {
        for folder in folders {
            let below = readable(&folder, list_below)?;
            self.images.extend(below.images);
            self.unused.merge(below.unused);
            self.folders.push(folder);
        }
        Ok(())
    }

    /// Takes the images in the folder itself; its subfolders may not be good parts.
    fn take_plain(&mut self, folder: &Path) -> Result<(), DataError> {
        let Listing { images, folders, unused } = readable(folder, list)?;
        self.images.extend(images);
        self.unused.merge(unused);
        for below in folders {
            self.unused.add_below(UnusedReason::Below, &below);
        }
        self.folders.push(folder.to_owned());
        Ok(())
    }

    /// Counts the files beside the folders that were taken, and those in the other folders for which `counts` is true.
    fn leave_beside(&mut self, within: &Listing, counts: fn(&Path) -> bool) {
        within.images.iter().for_each(|path| self.unused.add(UnusedReason::Beside, path));
        self.unused.merge(within.unused.clone());
        let is_taken = |folder: &Path| self.folders.iter().any(|taken| taken.starts_with(folder));
        let others: Vec<&PathBuf> =
            within.folders.iter().filter(|folder| !is_taken(folder) && counts(folder)).collect();
        for other in others {
            self.unused.add_below(UnusedReason::Beside, other);
        }
    }
}

/// Returns whether nothing uses a folder with this name beside `train`: it is neither for tests nor for masks.
fn has_no_purpose(folder: &Path) -> bool {
    let is_test = file_name(folder).to_ascii_lowercase().starts_with(TEST_PREFIX);
    !is_test && !is_named(folder, &MASK_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::touch;

    fn names(folder: &Path) -> Vec<String> {
        normal_images(folder).unwrap().images.iter().map(|path| file_name(path)).collect()
    }

    #[test]
    fn the_folder_of_good_parts_has_many_names_and_folders_below_it() {
        for good in ["train/good", "train/OK", "Normal", "defect_free"] {
            let root = tempfile::tempdir().unwrap();
            let all = ["2.png", "1.JPG", "batch2/3.png", "notes.txt", "._1.JPG"];
            touch(root.path(), &all.map(|name| format!("{good}/{name}")));
            touch(root.path(), &["scratch/9.png"]);
            assert_eq!(names(root.path()), ["1.JPG", "2.png", "3.png"], "{good}");
            let unused = normal_images(root.path()).unwrap().unused;
            assert_eq!((unused.count(UnusedReason::Hidden), unused.count(UnusedReason::NoImage)), (1, 1));
        }
    }

    #[test]
    fn a_plain_folder_leaves_out_what_is_below_it_and_says_so() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["a.png", "batch2/b.png", "batch2/c.png", "batch2/d.HEIC"]);
        let found = normal_images(root.path()).unwrap();
        assert_eq!((found.images.len(), found.unused.count(UnusedReason::Below)), (1, 2));
        assert_eq!(found.unused.count(UnusedReason::NoImage), 1);
        let line = found.unused.line(root.path()).unwrap();
        assert!(line.contains("2 images in subfolders, such as batch2/b.png"), "{line}");
        assert_eq!(names(&root.path().join("batch2")).len(), 2);
    }

    #[test]
    fn images_beside_the_good_ones_are_counted() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["train/good/a.png", "train/b.png", "train/other/c.png", "test/good/d.png"]);
        assert_eq!(normal_images(root.path()).unwrap().unused.count(UnusedReason::Beside), 2);
    }

    #[test]
    fn files_beside_the_folders_of_every_layout_are_counted_unless_they_are_for_tests() {
        let beside = |files: &[&str]| {
            let root = tempfile::tempdir().unwrap();
            touch(root.path(), files);
            let unused = normal_images(root.path()).unwrap().unused;
            [UnusedReason::Beside, UnusedReason::NoImage].map(|reason| unused.count(reason))
        };
        let mvtec = ["test/hole/1.png", "test_private/2.png", "ground_truth/hole/1_mask.png"];
        assert_eq!(beside(&[&["train/good/a.png"][..], &mvtec[..]].concat()), [0, 0]);
        assert_eq!(beside(&["train/good/a.png", "b.png", "validation/good/c.png", "more/d.HEIC"]), [2, 1]);
        assert_eq!(beside(&["good/a.png", "hole/b.png", "c.png", "d.HEIC", "train/e.png"]), [2, 1]);
        assert_eq!(beside(&["train/a.png", "test/hole/b.png", "more/c.png", "d.HEIC"]), [1, 1]);
    }

    #[test]
    fn nothing_to_learn_from_names_where_there_are_images() {
        let root = tempfile::tempdir().unwrap();
        assert!(normal_images(&root.path().join("absent")).is_err());
        touch(root.path(), &["parts_of_may/a.png", "empty/notes.txt"]);
        let error = normal_images(root.path()).unwrap_err().to_string();
        assert!(error.contains("images are in parts_of_may"), "{error}");
        assert!(error.contains("not used: 1 file without an image extension (empty/notes.txt)"), "{error}");
    }

    #[test]
    fn learning_from_test_images_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["ok/a.png", "scratch/b.png"]);
        assert!(tests_on_training_images(root.path()));
        touch(root.path(), &["train/ok/c.png"]);
        assert!(!tests_on_training_images(root.path()));
    }
}
