//! The files that are in a bundle's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::manifest::{MANIFEST_FILE, SIGNATURE_FILE, is_plain_path};

/// More files are refused; a bundle has about ten.
const MAX_FILES: usize = 4096;

/// Why a folder can't be a signed bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder can't be listed.
    #[error("cannot list {}: {source}; check the path and its permissions", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A link, pipe or device, or a name that differs between systems.
    #[error(
        "{} has no place in a signed bundle: only files and folders are allowed, and in their names only letters, digits, -, _ and .; \
         remove it",
        path.display()
    )]
    NotPlain {
        /// The path.
        path: PathBuf,
    },
    /// There are far more files than any bundle has.
    #[error("{} has more than {MAX_FILES} files; give a bundle's folder", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// Lists the files in a bundle's folder, without manifest and signature, by their paths with `/` between folders.
///
/// # Errors
/// [`FolderError`]
pub fn list(folder: &Path) -> Result<BTreeMap<String, PathBuf>, FolderError> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, path)) = folders.pop() {
        let failed = |source| FolderError::Io { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Of the entry itself: a link isn't followed.
            let kind = entry.file_type().map_err(failed)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_file() && (name == MANIFEST_FILE || name == SIGNATURE_FILE) {
                continue;
            }
            if !is_plain_path(&name) || !(kind.is_file() || kind.is_dir()) {
                return Err(FolderError::NotPlain { path: entry.path() });
            }
            if files.len() + folders.len() >= MAX_FILES {
                return Err(FolderError::TooMany { path: folder.to_owned() });
            }
            if kind.is_dir() {
                folders.push((format!("{name}/"), entry.path()));
            } else {
                files.insert(name, entry.path());
            }
        }
    }
    Ok(files)
}
