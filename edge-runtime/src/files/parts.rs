//! The frames of each part in a folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bundle::dataset::listing::{Unused, UnusedReason, list};

/// The parts of a folder, in name order, and the files that aren't used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartListing {
    /// The parts.
    pub parts: Vec<PartFiles>,
    /// Files that belong to no part.
    pub unused: Unused,
}

/// A part and the files of its frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFiles {
    /// A name for people: the path of the file or folder, or what the paths of its files begin with (`…/part-00007`).
    pub name: String,
    /// At least one image.
    pub frames: Vec<PathBuf>,
}

impl PartListing {
    /// Lists the parts of a folder: a part is an image, or the images of a subfolder, or the images to which `collect` gave
    /// the same part number.
    ///
    /// # Errors
    /// If the folder or a subfolder can't be read.
    pub fn list(folder: &Path) -> io::Result<Self> {
        let top = list(folder)?;
        let mut unused = top.unused;
        let mut parts: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        for path in top.images {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let part = match number(&name) {
                Some(number) => folder.join(format!("part-{number:05}")),
                None => path.clone(),
            };
            parts.entry(part).or_default().push(path);
        }
        for path in top.folders {
            let within = list(&path)?;
            unused.merge(within.unused);
            within.folders.iter().for_each(|below| unused.add_below(UnusedReason::Below, below));
            if within.images.is_empty() {
                unused.add(UnusedReason::Empty, &path);
            } else {
                parts.entry(path).or_default().extend(within.images);
            }
        }
        let part = |(name, frames): (PathBuf, _)| PartFiles { name: name.display().to_string(), frames };
        Ok(Self { parts: parts.into_iter().map(part).collect(), unused })
    }
}

/// Maximum number of look-alike images that are listed; beyond that, only their total is reported.
const MAX_LISTED: usize = 3;

/// Warns of images that look like an image of another part, in sentences; each pair is the later image and the earlier one. A
/// duplicate adds no evidence.
#[must_use]
pub fn look_alike_warnings(pairs: &[(PathBuf, PathBuf)]) -> Vec<String> {
    let one =
        |(copy, first): &(PathBuf, PathBuf)| format!("{} looks like {}", copy.display(), first.display());
    let mut warnings: Vec<String> = pairs.iter().take(MAX_LISTED).map(one).collect();
    if !pairs.is_empty() {
        warnings.push(format!(
            "{} image(s) look like an image of another part: if they show the same part, keep only one of each; otherwise \
             the threshold's claim doesn't hold",
            pairs.len()
        ));
    }
    warnings
}

/// Returns the file stem that `collect` gives to a frame of a part; `frame` is its number (from 1) if there are several.
#[must_use]
pub fn stem(part: u32, frame: Option<usize>) -> String {
    let suffix = frame.map(|frame| format!("-{frame}")).unwrap_or_default();
    format!("part-{part:05}{suffix}")
}

/// Returns the part number in the name of a file that `collect` has saved.
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    let stem = name.strip_suffix(".jpg").or_else(|| name.strip_suffix(".png"))?;
    let mut pieces = stem.strip_prefix("part-")?.split('-');
    let number = pieces.next()?.parse().ok()?;
    let frame = pieces.next().map(str::parse::<u16>);
    (pieces.next().is_none() && frame.is_none_or(|frame| frame.is_ok())).then_some(number)
}

/// Returns a product's name as that of a folder: it may contain anything but spaces.
#[must_use]
pub fn folder_name(product: &str) -> String {
    let mut name = product.replace(['/', '\\'], "_");
    if name.starts_with('.') {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_number_of_the_part() {
        assert_eq!(number("part-00012.jpg"), Some(12));
        assert_eq!(number("part-00012-3.png"), Some(12));
        assert_eq!(number(&format!("{}.png", stem(7, Some(2)))), Some(7));
        assert_eq!(number(&format!("{}.jpg", stem(123_456, None))), Some(123_456));
        for other in
            ["part-x.jpg", "part-1.gif", "part-1-a.jpg", "part-1-2-3.jpg", ".part-00001.jpg.partial-7"]
        {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn images_folders_and_collected_names() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "a.png",
            "notes.txt",
            ".hidden.png",
            "c/1.jpg",
            "c/2.jpg",
            "c/deeper/3.jpg",
            "c/deeper/3.HEIC",
            "part-00002-1.png",
            "part-00002-2.png",
        ] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        std::fs::create_dir(root.path().join("empty")).unwrap();
        let found = PartListing::list(root.path()).unwrap();
        let counts: Vec<usize> = found.parts.iter().map(|part| part.frames.len()).collect();
        assert_eq!(counts, [1, 2, 2]);
        assert!(found.parts[2].name.ends_with("part-00002"));
        let unused = [UnusedReason::Hidden, UnusedReason::NoImage, UnusedReason::Below, UnusedReason::Empty];
        assert_eq!(unused.map(|reason| found.unused.count(reason)), [1, 2, 1, 1]);
        assert!(PartListing::list(&root.path().join("nowhere")).is_err());
    }
}
