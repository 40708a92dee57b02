//! Finds the images of a data folder.

use std::path::{Path, PathBuf};

use super::DataError;

/// Name of the folder, and of the kind, of normal images.
pub const GOOD: &str = "good";

/// An image with a known answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestImage {
    /// The file.
    pub path: PathBuf,
    /// The name of its folder: [`GOOD`], or the kind of defect.
    pub kind: String,
    /// Its mask (0 = normal), where there is one.
    pub mask: Option<PathBuf>,
}

impl TestImage {
    /// Whether the part is defective.
    #[must_use]
    pub fn is_defective(&self) -> bool {
        self.kind != GOOD
    }
}

/// The images of good parts to learn from, sorted by name.
///
/// # Errors
/// Where the folder can't be listed or holds none.
pub fn normal_images(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let candidates = [folder.join("train").join(GOOD), folder.join(GOOD), folder.to_owned()];
    let place = candidates.iter().find(|place| place.is_dir()).unwrap_or(&candidates[2]);
    let images = images_in(place)?;
    if images.is_empty() { Err(DataError::NoNormals { folder: folder.to_owned() }) } else { Ok(images) }
}

/// Whether [`test_images`] would take the very folder that [`normal_images`] learns from for its good parts.
#[must_use]
pub fn tests_on_training_images(folder: &Path) -> bool {
    !folder.join("test").is_dir() && !folder.join("train").join(GOOD).is_dir() && folder.join(GOOD).is_dir()
}

/// The test images of good and defective parts, sorted by kind and name.
///
/// # Errors
/// Where the folder can't be listed or holds none.
pub fn test_images(folder: &Path) -> Result<Vec<TestImage>, DataError> {
    let test = folder.join("test");
    let place = if test.is_dir() { test } else { folder.to_owned() };
    let masks = folder.join("ground_truth");
    let mut found = Vec::new();
    for kind_folder in entries(&place)?.into_iter().filter(|path| path.is_dir() && *path != masks) {
        let kind = file_name(&kind_folder);
        for path in images_in(&kind_folder)? {
            let mask = if kind == GOOD { None } else { find_mask(&masks.join(&kind), &path) };
            found.push(TestImage { path, kind: kind.clone(), mask });
        }
    }
    if found.is_empty() { Err(DataError::NoTest { folder: folder.to_owned() }) } else { Ok(found) }
}

fn find_mask(folder: &Path, image: &Path) -> Option<PathBuf> {
    let stem = image.file_stem()?.to_string_lossy();
    ["png", "bmp", "tif", "tiff", "jpg"]
        .iter()
        .flat_map(|ext| [folder.join(format!("{stem}_mask.{ext}")), folder.join(format!("{stem}.{ext}"))])
        .find(|path| path.is_file())
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|path| path.is_file() && judge::has_image_extension(path))
        .collect())
}

/// Everything in a folder but hidden files, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Folder { folder: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| !file_name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
    }

    #[test]
    fn mvtec_layout() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &[
                "train/good/2.png",
                "train/good/1.JPG",
                "train/good/notes.txt",
                "train/good/.hidden.png",
                "test/good/3.png",
                "test/crack/4.png",
                "test/crack/5.png",
                "ground_truth/crack/4_mask.png",
            ],
        );
        let names: Vec<_> = normal_images(root.path()).unwrap().iter().map(|p| file_name(p)).collect();
        assert_eq!(names, ["1.JPG", "2.png"]);
        assert!(!tests_on_training_images(root.path()));
        let test = test_images(root.path()).unwrap();
        let seen: Vec<_> =
            test.iter().map(|t| (file_name(&t.path), t.is_defective(), t.mask.is_some())).collect();
        let expected = [("4.png", true, true), ("5.png", true, false), ("3.png", false, false)];
        assert_eq!(seen, expected.map(|(n, d, m)| (n.to_owned(), d, m)));
    }

    #[test]
    fn plain_layouts_and_empty_folders() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(normal_images(root.path()), Err(DataError::NoNormals { .. })));
        assert!(matches!(test_images(root.path()), Err(DataError::NoTest { .. })));
        assert!(matches!(normal_images(&root.path().join("absent")), Err(DataError::Folder { .. })));
        touch(root.path(), &["a.png"]);
        assert_eq!(normal_images(root.path()).unwrap().len(), 1);
        touch(root.path(), &["good/b.png", "good/c.png", "scratch/d.png"]);
        assert_eq!(normal_images(root.path()).unwrap().len(), 2);
        assert!(tests_on_training_images(root.path()));
        assert_eq!(test_images(root.path()).unwrap().len(), 3);
    }
}
