//! Finds test images with known answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::listing::{Unused, UnusedReason, list, list_below};
use super::masks::Masks;
use super::names::{GOOD, GOOD_NAMES, MASK_NAMES, TEST_NAMES, TRAINING_NAMES, file_name, is_named, named};
use super::{DataError, readable};

/// An image with a known answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestImage {
    /// The file.
    pub path: PathBuf,
    /// [`GOOD`], whatever the folder of good parts is called, or the kind of defect: the name of its folder.
    pub kind: String,
    /// Its masks (0 = normal): one, several to be combined, or none.
    pub masks: Vec<PathBuf>,
}

impl TestImage {
    /// Returns whether the part is defective.
    #[must_use]
    pub fn is_defective(&self) -> bool {
        self.kind != GOOD
    }
}

/// The test images of a folder, and how each subfolder was classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestSet {
    /// The images, sorted by folder and name.
    pub images: Vec<TestImage>,
    /// Number of images in each folder of good parts, by name.
    pub good: BTreeMap<String, usize>,
    /// Number of images in each folder of defects, by name.
    pub defects: BTreeMap<String, usize>,
    /// Files that weren't taken.
    pub unused: Unused,
}

/// Finds the test images below `test`, `test_public` or the folder itself: a subfolder for each kind, with everything
/// below it. Masks are found in `ground_truth` or `masks` by the names that data sets give them, see `docs/data.md`.
///
/// # Errors
/// If the folder can't be listed or contains none.
pub fn test_images(folder: &Path) -> Result<TestSet, DataError> {
    let top = readable(folder, list)?;
    let test = TEST_NAMES.iter().find_map(|name| named(&top.folders, &[name]).into_iter().next());
    let place = test.clone().unwrap_or_else(|| folder.to_owned());
    let within = readable(&place, list)?;
    let mut set =
        TestSet { images: vec![], good: BTreeMap::new(), defects: BTreeMap::new(), unused: within.unused };
    within.images.iter().for_each(|path| set.unused.add(UnusedReason::Beside, path));
    let mut masks = Masks::default();
    for root in named(&within.folders, &MASK_NAMES) {
        masks.add_root(&root)?;
    }
    let meant_for_more = [&MASK_NAMES[..], &TRAINING_NAMES[..]].concat();
    if test.is_some() {
        for other in &top.folders {
            if is_named(other, &MASK_NAMES) {
                masks.add_root(other)?;
            } else if *other != place && !is_named(other, &meant_for_more) && !is_named(other, &GOOD_NAMES) {
                // Such as MVTec AD 2's test_private, whose answers aren't published.
                set.unused.add_below(UnusedReason::Beside, other);
            }
        }
        top.images.iter().for_each(|path| set.unused.add(UnusedReason::Beside, path));
        set.unused.merge(top.unused);
    }
    for kind_folder in within.folders.iter().filter(|path| !is_named(path, &meant_for_more)) {
        set.take(kind_folder, &mut masks)?;
    }
    set.unused.merge(masks.unused());
    if set.images.is_empty() {
        let unused = set.unused.appendix(folder);
        return Err(DataError::NoTest { folder: folder.to_owned(), unused });
    }
    Ok(set)
}

impl TestSet {
    fn take(&mut self, folder: &Path, masks: &mut Masks) -> Result<(), DataError> {
        let below = readable(folder, list_below)?;
        self.unused.merge(below.unused);
        if below.images.is_empty() {
            self.unused.add(UnusedReason::Empty, folder);
            return Ok(());
        }
        let name = file_name(folder);
        let is_good = is_named(folder, &GOOD_NAMES);
        let taken = if is_good { &mut self.good } else { &mut self.defects };
        taken.insert(name.clone(), below.images.len());
        let kind = if is_good { GOOD.to_owned() } else { name.clone() };
        for path in below.images {
            let relative = path.strip_prefix(folder).unwrap_or(&path);
            // A good part has no defective pixels, whatever its mask says.
            let found = masks.of(&name, relative);
            let masks = if is_good { vec![] } else { found };
            self.images.push(TestImage { path, kind: kind.clone(), masks });
        }
        Ok(())
    }

    /// Describes how each folder was classified and what is missing, in lines for people.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let folders = |of: &BTreeMap<String, usize>| {
            let each: Vec<String> = of.iter().map(|(name, count)| format!("{name} ({count})")).collect();
            each.join(", ")
        };
        let mut lines = vec![match (self.good.is_empty(), self.defects.is_empty()) {
            (false, false) => {
                format!("good parts: {}; defects: {}", folders(&self.good), folders(&self.defects))
            }
            (true, _) => format!(
                "defects: {}; no folder of good parts ({}): AUROC and the share of rejected good parts can't be computed",
                folders(&self.defects),
                GOOD_NAMES.join(", ")
            ),
            (false, true) => format!(
                "good parts: {}; no folder of defects: AUROC and the share of rejected bad parts can't be computed",
                folders(&self.good)
            ),
        }];
        let defective = self.images.iter().filter(|image| image.is_defective());
        let (masked, defective) = defective
            .fold((0, 0), |(masked, all), image| (masked + usize::from(!image.masks.is_empty()), all + 1));
        if defective > 0 && masked < defective {
            lines.push(match masked {
                0 => format!(
                    "masks: none for the {defective} defective image(s), so there are no pixel figures"
                ),
                _ => format!(
                    "masks: {} of {defective} defective images have none and don't count in pixel figures",
                    defective - masked
                ),
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::touch;

    fn kinds(set: &TestSet) -> Vec<(String, bool, usize)> {
        set.images.iter().map(|t| (file_name(&t.path), t.is_defective(), t.masks.len())).collect()
    }

    #[test]
    fn mvtec_layout() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &[
                "train/good/2.png",
                "test/good/3.png",
                "test/crack/4.png",
                "test/crack/5.png",
                "ground_truth/crack/4_mask.png",
            ],
        );
        let set = test_images(root.path()).unwrap();
        let expected = [("4.png", true, 1), ("5.png", true, 0), ("3.png", false, 0)];
        assert_eq!(kinds(&set), expected.map(|(n, d, m)| (n.to_owned(), d, m)));
        let words = set.describe();
        assert_eq!(words[0], "good parts: good (1); defects: crack (2)");
        assert!(words[1].starts_with("masks: 1 of 2 defective images have none"), "{words:?}");
        assert!(set.unused.is_empty());
    }

    #[test]
    fn good_parts_are_good_whatever_their_folder_is_called() {
        for good in ["ok", "OK", "Good", "normal", "defect-free"] {
            let root = tempfile::tempdir().unwrap();
            touch(root.path(), &[format!("test/{good}/1.png"), "test/ko/2.png".to_owned()]);
            let set = test_images(root.path()).unwrap();
            assert_eq!(set.images.iter().filter(|image| image.is_defective()).count(), 1, "{good}");
            assert_eq!(set.describe()[0], format!("good parts: {good} (1); defects: ko (1)"));
        }
    }

    #[test]
    fn mvtec_ad_2_layout() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &[
                "train/good/1.png",
                "validation/good/2.png",
                "test_private/3.png",
                "test_public/good/4.png",
                "test_public/bad/5.png",
                "test_public/ground_truth/bad/5_mask.png",
            ],
        );
        let set = test_images(root.path()).unwrap();
        let expected = [("5.png", true, 1), ("4.png", false, 0)];
        assert_eq!(kinds(&set), expected.map(|(n, d, m)| (n.to_owned(), d, m)));
        assert_eq!(set.unused.count(UnusedReason::Beside), 1);
    }

    #[test]
    fn plain_layout_and_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(test_images(root.path()), Err(DataError::NoTest { .. })));
        assert!(matches!(test_images(&root.path().join("absent")), Err(DataError::Folder { .. })));
        touch(root.path(), &["scratch/batch1/d.png", "train/x.png", "top.png"]);
        let set = test_images(root.path()).unwrap();
        assert!(set.describe()[0].contains("no folder of good parts"), "{:?}", set.describe());
        assert_eq!((set.images.len(), set.unused.count(UnusedReason::Beside)), (1, 1));
        touch(root.path(), &["good/b.png", "good/c.png"]);
        assert_eq!(test_images(root.path()).unwrap().images.len(), 3);
    }

    #[test]
    fn what_lies_beside_the_test_folders_or_is_no_image_in_them_is_counted() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &["test/good/1.png", "test/hole/2.HEIC", "3.png", "readme.txt", "other/notes.txt"],
        );
        let unused = test_images(root.path()).unwrap().unused;
        let counts = [UnusedReason::NoImage, UnusedReason::Beside, UnusedReason::Empty];
        assert_eq!(counts.map(|reason| unused.count(reason)), [3, 1, 1]);
    }
}
