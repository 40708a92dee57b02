//! Lists folders: the images, and which files aren't used and why. Every listing reports what was left out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use judge::has_image_extension;

/// Maximum number of example names given for one reason.
const EXAMPLES: usize = 2;

/// Why a file isn't used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UnusedReason {
    /// Its name starts with a dot, like those that macOS and file managers leave on sticks and shares.
    Hidden,
    /// A folder whose name starts with a dot; nothing in it is used.
    HiddenFolder,
    /// Its name doesn't have an image's extension.
    NoImage,
    /// It is in a subfolder of the one whose images are used.
    Below,
    /// It is beside the folders whose images are used.
    Beside,
    /// A folder that should contain images but has none.
    Empty,
    /// A folder that isn't needed and can't be read, such as `lost+found`.
    Unreadable,
    /// A link to a folder that contains the link.
    Circle,
    /// A mask that belongs to no image.
    Mask,
}

impl UnusedReason {
    const fn description(self) -> (&'static str, &'static str) {
        match self {
            Self::Hidden => ("hidden file", "hidden files"),
            Self::HiddenFolder => ("hidden folder", "hidden folders"),
            Self::NoImage => ("file without an image extension", "files without an image extension"),
            Self::Below => ("image in a subfolder", "images in subfolders"),
            Self::Beside => {
                ("image beside the folders that are used", "images beside the folders that are used")
            }
            Self::Empty => ("folder without images", "folders without images"),
            Self::Unreadable => ("folder that can't be read", "folders that can't be read"),
            Self::Circle => ("link to a folder that contains it", "links to folders that contain them"),
            Self::Mask => ("mask that belongs to no test image", "masks that belong to no test image"),
        }
    }
}

/// The files that aren't used, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unused(BTreeMap<UnusedReason, BTreeSet<PathBuf>>);

impl Unused {
    /// Counts a file.
    pub fn add(&mut self, reason: UnusedReason, path: &Path) {
        self.0.entry(reason).or_default().insert(path.to_owned());
    }

    /// Counts everything in a folder that isn't used: its images for this reason, its other files each for its own. A folder that
    /// can't be read counts as one.
    pub fn add_below(&mut self, reason: UnusedReason, folder: &Path) {
        match list_below(folder) {
            Ok(listing) => self.add_listing(reason, listing),
            Err(_) => self.add(UnusedReason::Unreadable, folder),
        }
    }

    /// Counts everything in a listing: its images for this reason, its other files each for its own.
    pub fn add_listing(&mut self, reason: UnusedReason, listing: Listing) {
        listing.images.iter().for_each(|path| self.add(reason, path));
        self.merge(listing.unused);
    }

    /// Removes files that are used after all, such as the boxes beside an image.
    pub fn remove(&mut self, used: &HashSet<PathBuf>) {
        for paths in self.0.values_mut() {
            paths.retain(|path| !used.contains(path));
        }
        self.0.retain(|_, paths| !paths.is_empty());
    }

    /// Adds the counts of another listing.
    pub fn merge(&mut self, other: Self) {
        for (reason, more) in other.0 {
            self.0.entry(reason).or_default().extend(more);
        }
    }

    /// Returns how many files aren't used for this reason.
    #[must_use]
    pub fn count(&self, reason: UnusedReason) -> usize {
        self.0.get(&reason).map_or(0, BTreeSet::len)
    }

    /// Returns whether everything is used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a clause for each reason, with examples relative to `folder`: `3 hidden files, such as ._1.jpg`.
    #[must_use]
    pub fn clauses(&self, folder: &Path) -> Vec<String> {
        let clause = |(reason, paths): (&UnusedReason, &BTreeSet<PathBuf>)| {
            let (one, several) = reason.description();
            let name = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).display().to_string();
            let names: Vec<String> = paths.iter().take(EXAMPLES).map(name).collect();
            match paths.len() {
                1 => format!("1 {one} ({})", names.join(", ")),
                count => format!("{count} {several}, such as {}", names.join(" and ")),
            }
        };
        self.0.iter().map(clause).collect()
    }

    /// Returns one line for people; `None` if everything is used.
    #[must_use]
    pub fn line(&self, folder: &Path) -> Option<String> {
        let clauses = self.clauses(folder);
        (!clauses.is_empty()).then(|| format!("not used in {}: {}", folder.display(), clauses.join("; ")))
    }

    /// Returns the end of an error's sentence about a folder in which too little can be used; empty if everything is used.
    #[must_use]
    pub fn appendix(&self, folder: &Path) -> String {
        let clauses = self.clauses(folder).join("; ");
        if clauses.is_empty() { clauses } else { format!("; not used: {clauses}") }
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clauses(Path::new("")).join("; "))
    }
}

/// The contents of a folder, in name order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files with an image's extension.
    pub images: Vec<PathBuf>,
    /// Folders.
    pub folders: Vec<PathBuf>,
    /// The other files.
    pub unused: Unused,
}

/// Lists the folder itself, without hidden folders.
///
/// # Errors
/// If the folder can't be read.
pub fn list(folder: &Path) -> io::Result<Listing> {
    let mut paths = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut listing = Listing::default();
    for path in paths {
        let hidden = path.file_name().is_some_and(is_hidden);
        match (path.is_dir(), hidden) {
            (true, true) => listing.unused.add(UnusedReason::HiddenFolder, &path),
            (true, false) => listing.folders.push(path),
            (false, true) => listing.unused.add(UnusedReason::Hidden, &path),
            (false, false) if has_image_extension(&path) => listing.images.push(path),
            (false, false) => listing.unused.add(UnusedReason::NoImage, &path),
        }
    }
    Ok(listing)
}

/// Lists the images in a folder and its subfolders, each folder's own first. Links to folders are followed unless they
/// lead back.
///
/// # Errors
/// If a folder can't be read.
pub fn list_below(folder: &Path) -> io::Result<Listing> {
    let mut all = Listing::default();
    descend(folder, &mut all)?;
    Ok(all)
}

fn descend(folder: &Path, all: &mut Listing) -> io::Result<()> {
    let Listing { images, folders, unused } = list(folder)?;
    all.images.extend(images);
    all.unused.merge(unused);
    for below in folders {
        if leads_back(&below)? {
            all.unused.add(UnusedReason::Circle, &below);
            continue;
        }
        descend(&below, all)?;
        all.folders.push(below);
    }
    Ok(())
}

/// Returns whether this is a link to a folder that contains it.
fn leads_back(folder: &Path) -> io::Result<bool> {
    if !folder.is_symlink() {
        return Ok(false);
    }
    let place = folder.parent().unwrap_or(folder).canonicalize()?;
    Ok(place.starts_with(folder.canonicalize()?))
}

/// Returns whether listings skip this name.
#[must_use]
pub fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::touch;

    #[test]
    fn what_is_not_used_is_counted_and_named() {
        let root = tempfile::tempdir().unwrap();
        touch(
            root.path(),
            &[
                "b.png",
                "a.JPG",
                "._a.JPG",
                ".DS_Store",
                "notes.txt",
                ".hidden/c.png",
                "batch2/c.png",
                "batch2/deep/d.png",
            ],
        );
        let own = list(root.path()).unwrap();
        assert_eq!(own.images, [root.path().join("a.JPG"), root.path().join("b.png")]);
        assert_eq!(own.folders, [root.path().join("batch2")]);
        assert_eq!(own.unused.count(UnusedReason::Hidden), 2);
        let line = own.unused.line(root.path()).unwrap();
        let expected = "2 hidden files, such as .DS_Store and ._a.JPG; 1 hidden folder (.hidden); \
                        1 file without an image extension (notes.txt)";
        assert!(line.ends_with(expected), "{line}");
        assert_eq!(list_below(root.path()).unwrap().images.len(), 4);
        assert_eq!(Unused::default().line(root.path()), None);
    }

    #[test]
    fn a_folder_that_is_not_used_is_counted_with_everything_in_it_and_what_is_used_after_all_is_not() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["batch2/c.png", "batch2/deep/d.HEIC", "batch2/deep/._d.HEIC", "batch2/c.txt"]);
        let mut unused = Unused::default();
        unused.add_below(UnusedReason::Below, &root.path().join("batch2"));
        let counts = [UnusedReason::Below, UnusedReason::NoImage, UnusedReason::Hidden];
        assert_eq!(counts.map(|reason| unused.count(reason)), [1, 2, 1]);
        unused.remove(&HashSet::from([root.path().join("batch2/c.txt"), root.path().join("batch2/c.png")]));
        assert_eq!(counts.map(|reason| unused.count(reason)), [0, 1, 1]);
        unused.add_below(UnusedReason::Below, &root.path().join("gone"));
        assert_eq!(unused.count(UnusedReason::Unreadable), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_circle_ends() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["a.png"]);
        std::os::unix::fs::symlink(root.path(), root.path().join("again")).unwrap();
        let all = list_below(root.path()).unwrap();
        assert_eq!((all.images.len(), all.unused.count(UnusedReason::Circle)), (1, 1));
    }
}
