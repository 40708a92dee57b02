//! Finds the images of good parts to learn from.

use std::path::{Path, PathBuf};

use super::listing::{Listing, Unused, UnusedReason, list, list_below};
use super::names::{GOOD_NAMES, TEST_NAMES, file_name, is_named, named};
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
        normals.leave_beside(&within)?;
    } else if let good = named(&top.folders, &GOOD_NAMES)
        && !good.is_empty()
    {
        // The folders beside it contain defects, for tests.
        normals.take(good)?;
    } else if is_named(folder, &GOOD_NAMES) {
        normals.take(vec![folder.to_owned()])?;
    } else {
        let place = train.filter(|_| top.images.is_empty()).unwrap_or_else(|| folder.to_owned());
        normals.take_plain(&place)?;
    }
    if normals.images.is_empty() {
        let has_others = |path: &&PathBuf| list_below(path).is_ok_and(|below| !below.images.is_empty());
        let others = top.folders.iter().filter(has_others).map(|path| file_name(path)).collect();
        return Err(DataError::NoNormals { folder: folder.to_owned(), others });
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
            readable(&below, list_below)?
                .images
                .iter()
                .for_each(|path| self.unused.add(UnusedReason::Below, path));
        }
        self.folders.push(folder.to_owned());
        Ok(())
    }

    /// Counts the images beside the folders that were taken.
    fn leave_beside(&mut self, within: &Listing) -> Result<(), DataError> {
        within.images.iter().for_each(|path| self.unused.add(UnusedReason::Beside, path));
        for other in within.folders.iter().filter(|other| !self.folders.contains(other)) {
            readable(other, list_below)?
                .images
                .iter()
                .for_each(|path| self.unused.add(UnusedReason::Beside, path));
        }
        Ok(())
    }
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
        touch(root.path(), &["a.png", "batch2/b.png", "batch2/c.png"]);
        let found = normal_images(root.path()).unwrap();
        assert_eq!((found.images.len(), found.unused.count(UnusedReason::Below)), (1, 2));
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
    fn nothing_to_learn_from_names_where_there_are_images() {
        let root = tempfile::tempdir().unwrap();
        assert!(normal_images(&root.path().join("absent")).is_err());
        touch(root.path(), &["parts_of_may/a.png", "empty/notes.txt"]);
        let error = normal_images(root.path()).unwrap_err().to_string();
        assert!(error.contains("images are in parts_of_may"), "{error}");
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
