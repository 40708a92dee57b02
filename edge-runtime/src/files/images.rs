//! Files, folders and patterns → image paths.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use judge::has_image_extension;

/// Why arguments name no images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImagesError {
    /// The folder holds none.
    #[error("no images in {folder}; give a folder with {known} files", folder = folder.display(), known = known_extensions())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no such file, and no file fits the pattern.
    #[error("nothing matches {argument}; give image files, folders or patterns", argument = argument.display())]
    NoMatch {
        /// What was given.
        argument: PathBuf,
    },
    /// It is neither a file nor a pattern.
    #[error("{argument} is neither a file nor a pattern; give image files, folders or patterns")]
    NoPattern {
        /// What was given.
        argument: String,
        /// What is wrong with it as a pattern.
        source: glob::PatternError,
    },
    /// A folder can't be read.
    #[error("cannot read the folder {folder}; check its permissions", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder that a pattern covers can't be read.
    #[error("cannot read a folder that the pattern covers; check its permissions")]
    Covered(#[source] glob::GlobError),
}

/// All images that the arguments name, without repetition. A file stands for itself whatever its name, a folder for
/// the images in and below it, anything else is a pattern. Folders and patterns give their files in name order.
///
/// # Errors
/// [`ImagesError`]
pub fn collect(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, ImagesError> {
    let mut seen = HashSet::new();
    let mut images = Vec::new();
    for argument in arguments {
        let found = expand(argument)?;
        images.extend(found.into_iter().filter(|path| seen.insert(path.clone())));
    }
    Ok(images)
}

fn expand(argument: &Path) -> Result<Vec<PathBuf>, ImagesError> {
    let mut found = Vec::new();
    if argument.is_dir() {
        scan(argument, &mut found)?;
        if found.is_empty() {
            return Err(ImagesError::Empty { folder: argument.to_owned() });
        }
    } else if argument.try_exists().unwrap_or(true) {
        found.push(argument.to_owned());
    } else {
        found = matches(argument)?;
        if found.is_empty() {
            return Err(ImagesError::NoMatch { argument: argument.to_owned() });
        }
    }
    Ok(found)
}

fn known_extensions() -> String {
    judge::IMAGE_EXTENSIONS.join(", ")
}

/// Adds the images in and below a folder. Links to folders are not followed: they may lead in circles.
fn scan(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), ImagesError> {
    let unreadable = |source| ImagesError::Folder { folder: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            scan(&path, found)?;
        } else if has_image_extension(&path) && !path.is_dir() {
            found.push(path);
        }
    }
    Ok(())
}

fn matches(pattern: &Path) -> Result<Vec<PathBuf>, ImagesError> {
    // The glob crate matches text; a path that is no text can't be a pattern that somebody typed.
    let Some(text) = pattern.to_str() else { return Ok(Vec::new()) };
    let paths =
        glob::glob(text).map_err(|source| ImagesError::NoPattern { argument: text.to_owned(), source })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(ImagesError::Covered)?;
        if path.is_dir() {
            scan(&path, &mut found)?;
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
