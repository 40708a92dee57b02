//! Puts the next bundle in the place of the one in use, and back.
//!
//! `.NAME.beside` is the inactive bundle, as in a deployment: the new one until it is switched in, then the old one. `.NAME.learning`
//! is a bundle that is being made. A bundle that was learned records which one it replaces; for one that was installed, whose files are
//! those that somebody signed, `.NAME.installed.json` does. So after a power cut at any point it is known whether the inactive one is
//! earlier.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bundle::atomic::{replace_folder, sync_folder, write_file};
use judge::{Bundle, THRESHOLD_FILE, file_sha256, read_regular_file};
use serde::{Deserialize, Serialize};
use shared_format::threshold_file::MAX_LEN;

use super::error::LearnError;
use super::lesson::Lesson;

/// A limit far beyond any record of what was installed.
const MAX_RECORD: u64 = 4096;

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

    /// Like [`Self::switch`], for a bundle that doesn't record itself which one it replaces.
    ///
    /// # Errors
    /// As [`Self::switch`].
    pub fn install(&self, replaces: &str) -> Result<(), LearnError> {
        let record = Installed { installed: identity(&self.next())?, replaces: replaces.to_owned() };
        // First: after a power cut in between it names a bundle that isn't in use, and says nothing.
        let written = serde_json::to_vec(&record).map_err(io::Error::from);
        written
            .and_then(|json| write_file(&installed_path(&self.bundle), &json))
            .map_err(|e| self.failed(e))?;
        self.switch(replaces)
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
        let replaced = replaced_by(&self.bundle)?;
        let is_earlier = replaced.is_some_and(|replaced| identity(&beside).is_ok_and(|it| it == replaced));
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
    let replaced = bundle.canonicalize().ok().and_then(|bundle| replaced_by(&bundle).ok().flatten());
    let beside = beside_of(bundle).and_then(|beside| identity(&beside).ok());
    replaced.is_some() && replaced == beside
}

/// Which bundle was installed last, and in whose place.
#[derive(Serialize, Deserialize)]
struct Installed {
    /// The SHA-256 of its threshold file, in hexadecimal.
    installed: String,
    /// That of the one that it replaced.
    replaces: String,
}

/// Returns what identifies the bundle that the one in use has replaced; `None` if nothing says so.
fn replaced_by(bundle: &Path) -> Result<Option<String>, LearnError> {
    let record = read_regular_file(&installed_path(bundle), MAX_RECORD).ok();
    let record = record.and_then(|bytes| serde_json::from_slice::<Installed>(&bytes).ok());
    if let Some(record) = record
        && record.installed == identity(bundle)?
    {
        return Ok(Some(record.replaces));
    }
    Ok(Lesson::read(bundle)?.and_then(|lesson| lesson.learned).map(|learned| learned.replaces))
}

fn installed_path(bundle: &Path) -> PathBuf {
    bundle.with_file_name(format!(
        ".{}.installed.json",
        bundle.file_name().unwrap_or_default().to_string_lossy()
    ))
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
