//! Puts the next bundle in the place of the one in use, and back.
//!
//! `.NAME.beside` is the inactive bundle, as in a deployment: the new one until it is switched in, then the old one. `.NAME.learning`
//! is a bundle that is being made. A bundle that was learned records which one it replaces, so after a power cut at any point
//! it is known whether the inactive one is earlier.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bundle::atomic::{replace_folder, sync_folder};
use judge::{Bundle, THRESHOLD_FILE, file_sha256, read_regular_file};
use shared_format::threshold_file::MAX_LEN;

use super::error::LearnError;
use super::lesson::Lesson;

/// The place of a bundle in use, which one program changes at a time.
#[derive(Debug)]
pub struct BundlePlace {
    bundle: PathBuf,
    folder: PathBuf,
    name: String,
    handle: File,
}

impl BundlePlace {
    /// Locks the folder that the bundle is in, and removes what a power cut has left half-made.
    ///
    /// # Errors
    /// [`LearnError::Place`], [`LearnError::Busy`]
    pub fn lock(bundle: &Path) -> Result<Self, LearnError> {
        let failed = |source| LearnError::Place { bundle: bundle.to_owned(), source };
        let bundle = bundle.canonicalize().map_err(failed)?;
        let (Some(folder), Some(name)) = (bundle.parent(), bundle.file_name()) else {
            return Err(failed(ErrorKind::InvalidInput.into()));
        };
        let (folder, name) = (folder.to_owned(), name.to_string_lossy().into_owned());
        let handle = File::open(&folder).map_err(failed)?;
        // A file system without locks has none to respect.
        if matches!(handle.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(LearnError::Busy { folder });
        }
        let place = Self { bundle, folder, name, handle };
        remove(&place.next()).map_err(|e| place.failed(e))?;
        Ok(place)
    }

    /// Returns where the next bundle is made.
    #[must_use]
    pub fn next(&self) -> PathBuf {
        self.folder.join(format!(".{}.learning", self.name))
    }

    /// Returns where the inactive bundle is.
    #[must_use]
    pub fn beside(&self) -> PathBuf {
        self.folder.join(format!(".{}.beside", self.name))
    }

    /// Returns what identifies the bundle in use: the SHA-256 of its threshold file, in hexadecimal.
    ///
    /// # Errors
    /// [`LearnError::Read`]
    pub fn identity(&self) -> Result<String, LearnError> {
        identity(&self.bundle)
    }

    /// Puts the next bundle in the place of the one in use, which `replaces` identifies and which is then beside it. A power
    /// cut at any point leaves one of the two in place.
    ///
    /// # Errors
    /// [`LearnError::Replaced`] if another bundle is in use by now, [`LearnError::Place`]; nothing is switched then.
    pub fn switch(&self, replaces: &str) -> Result<(), LearnError> {
        if self.identity()? != replaces {
            return Err(LearnError::Replaced { bundle: self.bundle.clone() });
        }
        let beside = self.beside();
        let switched = set_permissions(&self.next(), &self.bundle)
            .and_then(|()| remove(&beside))
            .and_then(|()| std::fs::rename(self.next(), &beside))
            .and_then(|()| sync_folder(&self.folder))
            .and_then(|()| replace_folder(&beside, &self.bundle));
        switched.map_err(|e| self.failed(e))
    }

    /// Puts the earlier bundle back; the one in use is then beside it.
    ///
    /// # Errors
    /// [`LearnError::NoEarlier`] if the bundle beside isn't the one that was replaced, or why it can't be used; nothing is
    /// switched then.
    pub fn roll_back(&self) -> Result<(), LearnError> {
        self.check_earlier()?;
        let beside = self.beside();
        Bundle::open(&beside)?;
        replace_folder(&beside, &self.bundle).map_err(|e| self.failed(e))
    }

    /// Checks that the bundle beside is the one that was replaced.
    ///
    /// # Errors
    /// [`LearnError::NoEarlier`] if it isn't, or why that can't be told.
    pub fn check_earlier(&self) -> Result<(), LearnError> {
        let beside = self.beside();
        let replaced = Lesson::read(&self.bundle)?.and_then(|lesson| lesson.learned);
        let is_earlier =
            replaced.is_some_and(|learned| identity(&beside).is_ok_and(|it| it == learned.replaces));
        if is_earlier { Ok(()) } else { Err(LearnError::NoEarlier { beside }) }
    }

    fn failed(&self, source: io::Error) -> LearnError {
        LearnError::Place { bundle: self.bundle.clone(), source }
    }
}

impl Drop for BundlePlace {
    fn drop(&mut self) {
        // If this fails, the next start removes it.
        let _ = remove(&self.next());
        // Closing alone does not unlock while a child process that is just starting holds a copy of the handle.
        let _ = self.handle.unlock();
    }
}

/// Returns where the inactive bundle is, beside the one in use.
pub(crate) fn beside_of(bundle: &Path) -> Option<PathBuf> {
    let bundle = bundle.canonicalize().ok()?;
    Some(bundle.with_file_name(format!(".{}.beside", bundle.file_name()?.to_string_lossy())))
}

/// Whether the bundle beside is the one that the one in use has replaced.
pub(crate) fn has_earlier(bundle: &Path) -> bool {
    let learned = Lesson::read(bundle).ok().flatten().and_then(|lesson| lesson.learned);
    let beside = beside_of(bundle).and_then(|beside| identity(&beside).ok());
    learned.is_some_and(|learned| beside == Some(learned.replaces))
}

/// Returns what identifies a bundle: the SHA-256 of its threshold file, in hexadecimal.
pub(crate) fn identity(bundle: &Path) -> Result<String, LearnError> {
    let path = bundle.join(THRESHOLD_FILE);
    let bytes =
        read_regular_file(&path, MAX_LEN as u64).map_err(|source| LearnError::Read { path, source })?;
    Ok(file_sha256(&bytes).iter().map(|b| format!("{b:02x}")).collect())
}

/// Gives a bundle's folders and files the permissions of the one in use: whoever learns may be more careful than the service
/// can bear that has to read them.
fn set_permissions(next: &Path, in_use: &Path) -> io::Result<()> {
    let folder = in_use.metadata()?.permissions();
    let file = in_use.join(THRESHOLD_FILE).metadata()?.permissions();
    let mut folders = vec![next.to_owned()];
    while let Some(path) = folders.pop() {
        std::fs::set_permissions(&path, folder.clone())?;
        for entry in std::fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                std::fs::set_permissions(entry.path(), file.clone())?;
            }
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "bundle_place_tests.rs"]
mod tests;
