//! Resolves files, folders and patterns to image paths.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bundle::dataset::listing::{Unused, list_below};
use glob::MatchOptions;

/// The reason why arguments don't resolve to images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImagesError {
    /// The folder contains no images.
    #[error("no images in {folder}; give a folder with {known} files{unused}", folder = folder.display(), known = known_extensions())]
    Empty {
        /// The folder.
        folder: PathBuf,
        /// The end of the sentence: files that aren't used.
        unused: String,
    },
    /// The file doesn't exist, or no file matches the pattern.
    #[error("nothing matches {argument}; give image files, folders or patterns", argument = argument.display())]
    NoMatch {
        /// The argument.
        argument: PathBuf,
    },
    /// The argument is neither a file nor a valid pattern.
    #[error("{argument} is neither a file nor a valid pattern; give image files, folders or patterns")]
    NoPattern {
        /// The argument.
        argument: String,
        /// What is wrong with the pattern.
        source: glob::PatternError,
    },
    /// A folder can't be read.
    #[error("cannot read the folder {folder}; check its permissions", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A folder that the pattern matches can't be read.
    #[error("cannot read a folder that the pattern matches; check its permissions")]
    Covered(#[source] glob::GlobError),
}

/// Images, and files in the same folders that aren't used.
#[derive(Debug, Default)]
pub struct ImageListing {
    /// The image files.
    pub paths: Vec<PathBuf>,
    /// Other files in the folders among the arguments.
    pub unused: Unused,
}

/// Collects all images that the arguments name, without duplicates. A file stands for itself, whatever its name; a folder
/// for the images in and below it; anything else is a pattern. Folders and patterns yield their files in name order, without
/// hidden ones: macOS leaves a `._photo.jpg` beside each photo on a USB stick.
///
/// # Errors
/// [`ImagesError`]
pub fn collect(arguments: &[PathBuf]) -> Result<ImageListing, ImagesError> {
    let mut seen = HashSet::new();
    let mut images = ImageListing::default();
    for argument in arguments {
        let found = expand(argument)?;
        images.paths.extend(found.paths.into_iter().filter(|path| seen.insert(path.clone())));
        images.unused.merge(found.unused);
    }
    Ok(images)
}

fn expand(argument: &Path) -> Result<ImageListing, ImagesError> {
    if argument.is_dir() {
        let found = below(argument)?;
        if found.paths.is_empty() {
            let unused = found.unused.appendix(argument);
            return Err(ImagesError::Empty { folder: argument.to_owned(), unused });
        }
        return Ok(found);
    }
    if argument.try_exists().unwrap_or(true) {
        return Ok(ImageListing { paths: vec![argument.to_owned()], unused: Unused::default() });
    }
    let found = matches(argument)?;
    if found.paths.is_empty() {
        return Err(ImagesError::NoMatch { argument: argument.to_owned() });
    }
    Ok(found)
}

fn known_extensions() -> String {
    judge::IMAGE_EXTENSIONS.join(", ")
}

fn below(folder: &Path) -> Result<ImageListing, ImagesError> {
    let found =
        list_below(folder).map_err(|source| ImagesError::Folder { folder: folder.to_owned(), source })?;
    Ok(ImageListing { paths: found.images, unused: found.unused })
}

fn matches(pattern: &Path) -> Result<ImageListing, ImagesError> {
    let mut found = ImageListing::default();
    // The glob crate matches text; a path that isn't valid Unicode can't be a pattern.
    let Some(text) = pattern.to_str() else { return Ok(found) };
    let visible = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let paths = glob::glob_with(text, visible)
        .map_err(|source| ImagesError::NoPattern { argument: text.to_owned(), source })?;
    for path in paths {
        let path = path.map_err(ImagesError::Covered)?;
        if path.is_dir() {
            let more = below(&path)?;
            found.paths.extend(more.paths);
            found.unused.merge(more.unused);
        } else {
            found.paths.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use bundle::dataset::listing::UnusedReason;

    use super::*;

    #[test]
    fn hidden_files_are_passed_over_unless_they_are_named() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "._a.jpg", "below/b.png", "below/._b.png", "notes.txt"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        let of = |names: &[&str]| {
            let arguments: Vec<PathBuf> = names.iter().map(|name| root.path().join(name)).collect();
            collect(&arguments).unwrap()
        };
        let all = of(&["", "a.jpg"]);
        assert_eq!(all.paths, [root.path().join("a.jpg"), root.path().join("below/b.png")]);
        assert_eq!(all.unused.count(UnusedReason::Hidden), 2);
        assert_eq!(of(&["*.jpg"]).paths, [root.path().join("a.jpg")]);
        assert_eq!(of(&["._a.jpg"]).paths, [root.path().join("._a.jpg")]);
        // A folder without images says what it has instead.
        std::fs::remove_file(root.path().join("below/b.png")).unwrap();
        let error = collect(&[root.path().join("below")]).unwrap_err().to_string();
        assert!(error.ends_with("files; not used: 1 hidden file (._b.png)"), "{error}");
    }
}
