//! The photos that are taken of a product's parts, and which are left out.
//!
//! `tasks/photos/PRODUCT/in` holds those that are taught, `…/out` those that a person left out; a photo is in one of the two, because it
//! is moved by a rename. What a bundle was taught from is kept in `taught/PRODUCT/TIME`, by hard links: the bundle's lesson names it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use bundle::atomic::{sync_folder, write_file, write_folder};

use crate::clock::WallTime;
use crate::files::parts;

/// The most photos of a product.
const MAX_PHOTOS: u32 = 2000;
/// The folder of what bundles were taught from, below that of all records.
const TAUGHT: &str = "taught";

/// Why a photo can't be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhotoError {
    /// The system refuses it.
    #[error("cannot keep photos in {folder}: {source}; check space and permissions", folder = folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// There are too many.
    #[error(
        "the photos have reached records.max_photos_mib = {max_mib} or {MAX_PHOTOS} photos; throw them away, or raise it"
    )]
    Full {
        /// The limit in MiB.
        max_mib: u32,
    },
    /// There is no such photo.
    #[error("there is no photo {0}")]
    Gone(u32),
}

/// The photos of one product.
#[derive(Debug)]
pub struct Photos {
    records: PathBuf,
    /// The product's name as that of a folder.
    name: String,
    max_mib: u32,
    /// The numbers of the photos that are taught, and of those that are left out.
    taught: BTreeSet<u32>,
    out: BTreeSet<u32>,
    /// The largest number so far.
    last: u32,
    bytes: u64,
}

impl Photos {
    /// Opens the photos of a product; there may be none yet.
    ///
    /// # Errors
    /// [`PhotoError::Io`]
    pub fn open(records: &Path, product: &str, max_mib: u32) -> Result<Self, PhotoError> {
        let mut photos = Self {
            records: records.to_owned(),
            name: parts::folder_name(product),
            max_mib,
            taught: BTreeSet::new(),
            out: BTreeSet::new(),
            last: 0,
            bytes: 0,
        };
        for is_out in [false, true] {
            let folder = photos.folder(is_out);
            let (numbers, bytes) = list(&folder).map_err(|source| PhotoError::Io { folder, source })?;
            photos.last = photos.last.max(numbers.last().copied().unwrap_or(0));
            photos.bytes += bytes;
            *(if is_out { &mut photos.out } else { &mut photos.taught }) = numbers;
        }
        Ok(photos)
    }

    /// Returns the product's name as that of a folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the numbers of the photos that are taught, or of those that are left out.
    pub fn numbers(&self, out: bool) -> impl Iterator<Item = u32> + '_ {
        (if out { &self.out } else { &self.taught }).iter().copied()
    }

    /// Returns the number of photos that are taught.
    #[must_use]
    pub fn count(&self) -> usize {
        self.taught.len()
    }

    /// Adds a photo, whole or not at all, and returns its number.
    ///
    /// # Errors
    /// [`PhotoError`]
    pub fn add(&mut self, extension: &str, bytes: &[u8]) -> Result<u32, PhotoError> {
        let limit = u64::from(self.max_mib) << 20;
        let size = bytes.len() as u64;
        let count = self.taught.len() + self.out.len();
        if self.bytes + size > limit || count >= MAX_PHOTOS as usize || self.last >= 99_999 {
            return Err(PhotoError::Full { max_mib: self.max_mib });
        }
        let number = self.last + 1;
        let folder = self.folder(false);
        let path = folder.join(format!("{}.{extension}", parts::stem(number, None)));
        write_file(&path, bytes).map_err(|source| PhotoError::Io { folder, source })?;
        (self.last, self.bytes) = (number, self.bytes + size);
        self.taught.insert(number);
        Ok(number)
    }

    /// Leaves a photo out, or takes it in again.
    ///
    /// # Errors
    /// [`PhotoError`]
    pub fn leave_out(&mut self, photo: u32, out: bool) -> Result<(), PhotoError> {
        let [from, to] = [!out, out].map(|is_out| self.folder(is_out));
        let failed = |source| PhotoError::Io { folder: to.clone(), source };
        let numbers = if out { &mut self.taught } else { &mut self.out };
        if !numbers.remove(&photo) {
            // It may be there already: then everything is as it should be.
            let there = if out { &self.out } else { &self.taught };
            return if there.contains(&photo) { Ok(()) } else { Err(PhotoError::Gone(photo)) };
        }
        let moved = path_of(&from, photo).and_then(|path| {
            std::fs::create_dir_all(&to)?;
            let name = path.file_name().unwrap_or_default();
            std::fs::rename(&path, to.join(name))?;
            sync_folder(&to)
        });
        match moved {
            Ok(()) => {
                (if out { &mut self.out } else { &mut self.taught }).insert(photo);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(PhotoError::Gone(photo)),
            Err(e) => {
                (if out { &mut self.taught } else { &mut self.out }).insert(photo);
                Err(failed(e))
            }
        }
    }

    /// Throws all photos away. What a bundle was taught from stays.
    ///
    /// # Errors
    /// [`PhotoError::Io`]
    pub fn discard(&mut self) -> Result<(), PhotoError> {
        let folder = self.records.join(super::TASKS_FOLDER).join("photos").join(&self.name);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(PhotoError::Io { folder, source: e });
            }
            _ => {}
        }
        self.taught.clear();
        self.out.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Returns the folder of the photos that are taught, or of those that are left out.
    #[must_use]
    pub fn folder(&self, out: bool) -> PathBuf {
        let folder = self.records.join(super::TASKS_FOLDER).join("photos").join(&self.name);
        folder.join(if out { "out" } else { "in" })
    }

    /// Keeps the photos that are taught under a name of their own, for a bundle's lesson, and returns the folder.
    ///
    /// # Errors
    /// [`PhotoError::Io`]
    pub fn keep(&self, at: WallTime) -> Result<PathBuf, PhotoError> {
        let (from, folder) =
            (self.folder(false), self.records.join(TAUGHT).join(&self.name).join(at.stamp()));
        let fill = |partial: &Path| {
            for number in &self.taught {
                let path = path_of(&from, *number)?;
                let target = partial.join(path.file_name().unwrap_or_default());
                std::fs::hard_link(&path, &target).or_else(|_| std::fs::copy(&path, &target).map(|_| ()))?;
            }
            Ok(())
        };
        write_folder(&folder, fill)
            .map_err(|source: io::Error| PhotoError::Io { folder: folder.clone(), source })?;
        Ok(folder)
    }

    /// Removes what bundles were taught from, except for these folders.
    pub fn forget_all_but(&self, kept: &[PathBuf]) {
        let Ok(entries) = std::fs::read_dir(self.records.join(TAUGHT).join(&self.name)) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_kept = |kept: &PathBuf| {
                kept == &path
                    || matches!((kept.canonicalize(), path.canonicalize()), (Ok(a), Ok(b)) if a == b)
            };
            if !kept.iter().any(is_kept) {
                // What stays takes no more room than it did.
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }
}

/// Returns the numbers of the photos in a folder, and their size in bytes.
fn list(folder: &Path) -> io::Result<(BTreeSet<u32>, u64)> {
    let (mut numbers, mut bytes) = (BTreeSet::new(), 0);
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((numbers, 0)),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(parts::number) {
            numbers.insert(number);
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok((numbers, bytes))
}

fn path_of(folder: &Path, photo: u32) -> io::Result<PathBuf> {
    let stem = parts::stem(photo, None);
    let paths = ["jpg", "png"].map(|extension| folder.join(format!("{stem}.{extension}")));
    paths.into_iter().find(|path| path.is_file()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(photos: &Photos) -> (Vec<u32>, Vec<u32>) {
        (photos.numbers(false).collect(), photos.numbers(true).collect())
    }

    #[test]
    fn photos_are_taken_left_out_and_found_again() {
        let records = tempfile::tempdir().unwrap();
        let mut photos = Photos::open(records.path(), "../cap", 1).unwrap();
        assert_eq!(photos.name(), "_.._cap");
        for number in 1..=3 {
            assert_eq!(photos.add("png", b"x").unwrap(), number);
        }
        photos.leave_out(2, true).unwrap();
        photos.leave_out(2, true).unwrap();
        assert!(matches!(photos.leave_out(9, true), Err(PhotoError::Gone(9))));
        let again = Photos::open(records.path(), "../cap", 1).unwrap();
        assert_eq!(numbers(&again), (vec![1, 3], vec![2]));
        let kept = photos.keep(WallTime::read("2026-12-01").unwrap()).unwrap();
        photos.leave_out(2, false).unwrap();
        assert_eq!((photos.count(), std::fs::read_dir(&kept).unwrap().count()), (3, 2));
        // Only one MiB in all.
        assert!(matches!(photos.add("jpg", &vec![0; 1 << 20]), Err(PhotoError::Full { .. })));
        photos.discard().unwrap();
        assert_eq!(numbers(&photos), (vec![], vec![]));
        // Numbers aren't used again: a browser may still show the old photo.
        assert_eq!(photos.add("png", b"y").unwrap(), 4);
        let later = photos.keep(WallTime::read("2026-12-02").unwrap()).unwrap();
        photos.forget_all_but(std::slice::from_ref(&later));
        assert!(!kept.exists() && later.exists());
    }

    #[test]
    fn a_photo_that_someone_removed_is_gone_and_a_folder_that_is_a_file_is_named() {
        let records = tempfile::tempdir().unwrap();
        let mut photos = Photos::open(records.path(), "cap", 1).unwrap();
        photos.add("png", b"x").unwrap();
        std::fs::remove_file(photos.folder(false).join("part-00001.png")).unwrap();
        assert!(matches!(photos.leave_out(1, true), Err(PhotoError::Gone(1))));
        std::fs::write(records.path().join("taught"), "").unwrap();
        let refused = photos.keep(WallTime::now()).unwrap_err().to_string();
        assert!(refused.contains("check space and permissions"), "{refused}");
    }
}
