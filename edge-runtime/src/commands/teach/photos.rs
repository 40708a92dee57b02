//! The frames of each part in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use judge::has_image_extension;

use crate::commands::collect::album::number;

/// The parts of a folder in name order: an image each; or the images of a sub-folder; or what `collect` named alike.
///
/// # Errors
/// Where the folder can't be listed.
pub(super) fn parts(folder: &Path) -> Result<Vec<Vec<PathBuf>>> {
    let unreadable = || format!("cannot read the folder {}; check the path", folder.display());
    let mut parts: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in entries(folder).with_context(unreadable)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let mut frames = entries(&path).with_context(unreadable)?;
            frames.retain(|frame| has_image_extension(frame));
            parts.insert(name, frames);
        } else if has_image_extension(&path) {
            let part = number(&name).map_or(name, |number| format!("part-{number:05}"));
            parts.entry(part).or_default().push(path);
        }
    }
    parts.retain(|_, frames| !frames.is_empty());
    Ok(parts.into_values().collect())
}

/// Everything in a folder but hidden files, in name order.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_folders_and_collected_names() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "a.png",
            "notes.txt",
            ".hidden.png",
            "c/1.jpg",
            "c/2.jpg",
            "part-00002-1.png",
            "part-00002-2.png",
        ] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        std::fs::create_dir(root.path().join("empty")).unwrap();
        let counts: Vec<usize> = parts(root.path()).unwrap().iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 2, 2]);
        assert!(parts(&root.path().join("nowhere")).is_err());
    }
}
