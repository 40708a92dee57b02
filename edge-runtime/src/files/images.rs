//! Files, folders and patterns → image paths.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use judge::has_image_extension;

/// All images that the arguments name, without repetition. A file stands for itself whatever its name, a folder for
/// the images in and below it, anything else is a pattern. Folders and patterns give their files in name order.
///
/// # Errors
/// Where an argument matches nothing, or a folder can't be read.
pub fn collect(arguments: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut seen = HashSet::new();
    let mut images = Vec::new();
    for argument in arguments {
        let found = expand(argument)?;
        images.extend(found.into_iter().filter(|path| seen.insert(path.clone())));
    }
    Ok(images)
}

fn expand(argument: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if argument.is_dir() {
        scan(argument, &mut found)?;
        if found.is_empty() {
            bail!("no images in {}; give a folder with {} files", argument.display(), known_extensions());
        }
    } else if argument.try_exists().unwrap_or(true) {
        found.push(argument.to_owned());
    } else {
        found = matches(argument)?;
        if found.is_empty() {
            bail!("nothing matches {}; give image files, folders or patterns", argument.display());
        }
    }
    Ok(found)
}

fn known_extensions() -> String {
    judge::IMAGE_EXTENSIONS.join(", ")
}

/// Adds the images in and below a folder. Links to folders are not followed: they may lead in circles.
fn scan(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = || format!("cannot read the folder {}; check its permissions", folder.display());
    let mut entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().with_context(unreadable)?.is_dir() {
            scan(&path, found)?;
        } else if has_image_extension(&path) && !path.is_dir() {
            found.push(path);
        }
    }
    Ok(())
}

fn matches(pattern: &Path) -> Result<Vec<PathBuf>> {
    // The glob crate matches text; a path that is no text can't be a pattern that somebody typed.
    let Some(text) = pattern.to_str() else { return Ok(Vec::new()) };
    let paths = glob::glob(text).with_context(|| {
        format!("{text} is neither a file nor a pattern; give image files, folders or patterns")
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.context("cannot read a folder that the pattern covers; check its permissions")?;
        if path.is_dir() {
            scan(&path, &mut found)?;
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
