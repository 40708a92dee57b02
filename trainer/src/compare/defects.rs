//! The images of known defects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bundle::dataset::GOOD_NAMES;
use bundle::dataset::listing::{Unused, UnusedReason, list, list_below};

/// Minimum number of known defects: with fewer, chance decides which settings find more of them.
pub const MIN_DEFECTS: usize = 8;
/// The kind of images that lie in the folder itself.
const UNNAMED: &str = "defect";

/// Images of known defects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDefects {
    /// The images with their kinds, sorted by folder and name.
    pub images: Vec<(PathBuf, String)>,
    /// Files that weren't taken.
    pub unused: Unused,
}

/// Why known defects can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DefectsError {
    /// The folder can't be listed.
    #[error("can't read the folder {folder}: {source}; check the path", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// There are too few.
    #[error(
        "{found} image(s) of known defects in {folder}; with fewer than {MIN_DEFECTS}, chance decides: add more, or keep the \
         default settings{unused}",
        folder = folder.display()
    )]
    TooFew {
        /// The folder.
        folder: PathBuf,
        /// Images found.
        found: usize,
        /// The end of the sentence: files that aren't used.
        unused: String,
    },
}

impl KnownDefects {
    /// Returns how many images there are of each kind.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for (_, kind) in &self.images {
            *kinds.entry(kind.as_str()).or_default() += 1;
        }
        kinds
    }
}

/// Finds the images of known defects in a folder: those in a subfolder are of the kind that the subfolder is named after. Subfolders
/// of good parts, as in a test set, are left out.
///
/// # Errors
/// [`DefectsError`] if the folder can't be read or has fewer than [`MIN_DEFECTS`] images.
pub fn known_defects(folder: &Path) -> Result<KnownDefects, DefectsError> {
    let failed = |source| DefectsError::Folder { folder: folder.to_owned(), source };
    let top = list(folder).map_err(failed)?;
    let mut found = KnownDefects { images: vec![], unused: top.unused };
    found.images.extend(top.images.into_iter().map(|path| (path, UNNAMED.to_owned())));
    for kind in top.folders {
        let name = kind.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let below = list_below(&kind).map_err(failed)?;
        if GOOD_NAMES.iter().any(|good| good.eq_ignore_ascii_case(&name)) {
            found.unused.add_listing(UnusedReason::Beside, below);
            continue;
        }
        found.unused.merge(below.unused);
        found.images.extend(below.images.into_iter().map(|path| (path, name.clone())));
    }
    if found.images.len() < MIN_DEFECTS {
        let unused = found.unused.appendix(folder);
        return Err(DefectsError::TooFew { folder: folder.to_owned(), found: found.images.len(), unused });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_a_kind_and_good_parts_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let files = ["a.png", "dent/b.png", "dent/deep/c.png", "OK/d.png", "scratch/notes.txt"];
        let write = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        };
        files.iter().for_each(|name| write(name));
        let error = known_defects(root.path()).unwrap_err().to_string();
        assert!(error.starts_with("3 image(s) of known defects"), "{error}");
        assert!(error.contains("not used: ") && error.contains("scratch/notes.txt"), "{error}");
        (0..5).for_each(|n| write(&format!("scratch/{n}.png")));
        let found = known_defects(root.path()).unwrap();
        assert_eq!(found.kinds(), BTreeMap::from([("defect", 1), ("dent", 2), ("scratch", 5)]));
        assert_eq!(found.unused.count(UnusedReason::Beside), 1);
        assert_eq!(found.unused.count(UnusedReason::NoImage), 1);
        assert!(known_defects(&root.path().join("absent")).is_err());
    }
}
