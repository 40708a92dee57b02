//! The bundle: the folder that the trainer ships to the line, verified when it is opened.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use shared_format::{FormatError, ThresholdFile, threshold_file};

use crate::decode::{DecodeError, decode, read_file};
use crate::engine::EngineError;
use crate::fault::Fault;
use crate::frame::Frame;
use crate::regular_file::{ReadError, read_regular_file};

/// The network, in the bundle's folder.
pub const MODEL_FILE: &str = "model.onnx";
/// Thresholds, evidence and recipe, in the bundle's folder.
pub const THRESHOLD_FILE: &str = "model.threshold";
/// Folder with the golden frames, in the bundle's folder.
pub const GOLDEN_FOLDER: &str = "golden";
/// The SHA-256 of each of a bundle's files, by its path in the bundle's folder with `/` between folders.
pub type FileHashes = BTreeMap<String, [u8; 32]>;

/// Larger models are refused without being read.
const MAX_MODEL_BYTES: u64 = 2 << 30;

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The folder doesn't exist.
    #[error("{} is not a folder; give the bundle folder that `trainer export` wrote", folder.display())]
    NotAFolder {
        /// The path given.
        folder: PathBuf,
    },
    /// A file of the bundle is missing.
    #[error("the bundle lacks {}; copy the whole bundle folder again", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file of the bundle can't be read.
    #[error("cannot read {}: {source}; check its permissions or copy the bundle again", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A folder, pipe or device in place of a file of the bundle.
    #[error("{} is not a regular file; copy the whole bundle folder again", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file is far larger than any that a trainer writes.
    #[error("{} has {bytes} bytes, more than any bundle file has; copy the bundle again", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The threshold file is not one, or is damaged.
    #[error("{}: {source}", path.display())]
    Threshold {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The model is not the one that the thresholds were made for.
    #[error(
        "{} is not the model that {THRESHOLD_FILE} was made for (SHA-256 {}…, expected {}…); copy both files of one \
         bundle again",
        path.display(), short_hex(found), short_hex(expected)
    )]
    Hash {
        /// The model file.
        path: PathBuf,
        /// According to the threshold file.
        expected: [u8; 32],
        /// Computed from the model file.
        found: [u8; 32],
    },
    /// A file isn't the one that was vouched for, or none was.
    #[error("{} is not the file that was signed; copy the whole bundle folder again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The model can't be loaded.
    #[error("{}: {source}", path.display())]
    Model {
        /// The model file.
        path: PathBuf,
        /// The reason.
        source: EngineError,
    },
    /// A golden frame can't be scored.
    #[error("golden frame {}: {source}", path.display())]
    Golden {
        /// The frame.
        path: PathBuf,
        /// The reason.
        source: Box<Fault>,
    },
}

/// A bundle's contents, with the model verified to be the one that the thresholds belong to.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The folder that it was read from.
    pub folder: PathBuf,
    /// Thresholds, evidence, recipe, golden scores.
    pub thresholds: ThresholdFile,
    /// The model's bytes.
    pub onnx: Vec<u8>,
    /// What its files must be; `None` if nobody vouches for them.
    hashes: Option<FileHashes>,
}

impl Bundle {
    /// Reads `model.threshold` and `model.onnx` and checks that they belong together.
    ///
    /// # Errors
    /// [`BundleError`], naming the file that fails.
    pub fn open(folder: &Path) -> Result<Self, BundleError> {
        Self::open_as(folder, None)
    }

    /// Like [`Self::open`], and no file is parsed unless it has the hash that is listed for it, golden frames and later reads
    /// included. Each file is read once, and the bytes that are hashed are those that are parsed.
    ///
    /// # Errors
    /// [`BundleError::Changed`] if a file has another hash or none is listed; otherwise as [`Self::open`].
    pub fn open_listed(folder: &Path, hashes: FileHashes) -> Result<Self, BundleError> {
        Self::open_as(folder, Some(hashes))
    }

    /// Opens the same bundle again, as it was opened.
    ///
    /// # Errors
    /// As [`Self::open_listed`] or [`Self::open`].
    pub fn reopen(&self) -> Result<Self, BundleError> {
        Self::open_as(&self.folder, self.hashes.clone())
    }

    fn open_as(folder: &Path, hashes: Option<FileHashes>) -> Result<Self, BundleError> {
        if !folder.is_dir() {
            return Err(BundleError::NotAFolder { folder: folder.to_owned() });
        }
        let path = folder.join(THRESHOLD_FILE);
        let bytes = read(&path, threshold_file::MAX_LEN as u64)?;
        check(hashes.as_ref(), THRESHOLD_FILE, &path, || file_sha256(&bytes))?;
        let thresholds =
            ThresholdFile::decode(&bytes).map_err(|source| BundleError::Threshold { path, source })?;
        let path = folder.join(MODEL_FILE);
        let onnx = read(&path, MAX_MODEL_BYTES)?;
        let found = file_sha256(&onnx);
        check(hashes.as_ref(), MODEL_FILE, &path, || found)?;
        if found != thresholds.model_sha256 {
            return Err(BundleError::Hash { path, expected: thresholds.model_sha256, found });
        }
        Ok(Self { folder: folder.to_owned(), thresholds, onnx, hashes })
    }

    /// Reads another of the bundle's files, of at most `max` bytes; `None` if there is no such file.
    ///
    /// # Errors
    /// [`BundleError::Changed`] if hashes are listed and it has another, or it is missing although it is listed;
    /// [`BundleError::Io`], [`BundleError::NotAFile`], [`BundleError::TooLarge`].
    pub fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, BundleError> {
        let path = self.folder.join(name);
        match read(&path, max) {
            Ok(bytes) => {
                check(self.hashes.as_ref(), name, &path, || file_sha256(&bytes))?;
                Ok(Some(bytes))
            }
            Err(BundleError::Missing { path }) => match &self.hashes {
                Some(hashes) if hashes.contains_key(name) => Err(BundleError::Changed { path }),
                _ => Ok(None),
            },
            Err(e) => Err(e),
        }
    }

    /// Reads and decodes one of the bundle's golden frames.
    ///
    /// # Errors
    /// [`BundleError::Golden`] if it is missing or damaged, [`BundleError::Changed`].
    pub fn golden_frame(&self, file: &str) -> Result<Frame, BundleError> {
        let path = self.golden_path(file);
        let failed =
            |source: DecodeError| BundleError::Golden { path: path.clone(), source: Box::new(source.into()) };
        let bytes = read_file(&path).map_err(failed)?;
        check(self.hashes.as_ref(), &format!("{GOLDEN_FOLDER}/{file}"), &path, || file_sha256(&bytes))?;
        decode(&bytes).map_err(failed)
    }

    /// Returns the path of one of the bundle's golden frames.
    #[must_use]
    pub fn golden_path(&self, file: &str) -> PathBuf {
        self.folder.join(GOLDEN_FOLDER).join(file)
    }
}

/// Returns the SHA-256 of a file's bytes, as a threshold file records it for its model.
#[must_use]
pub fn file_sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Checks a file's hash, if hashes are listed.
fn check(
    hashes: Option<&FileHashes>,
    name: &str,
    path: &Path,
    found: impl FnOnce() -> [u8; 32],
) -> Result<(), BundleError> {
    match hashes {
        Some(hashes) if hashes.get(name) != Some(&found()) => {
            Err(BundleError::Changed { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Returns enough of a hash to tell two files apart by eye.
fn short_hex(hash: &[u8; 32]) -> String {
    hash.iter().take(6).map(|b| format!("{b:02x}")).collect()
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, BundleError> {
    let path = path.to_owned();
    read_regular_file(&path, max).map_err(|e| match e {
        ReadError::Io(source) if source.kind() == ErrorKind::NotFound => BundleError::Missing { path },
        ReadError::Io(source) => BundleError::Io { path, source },
        ReadError::NotAFile => BundleError::NotAFile { path },
        ReadError::TooLarge { bytes, .. } => BundleError::TooLarge { path, bytes },
    })
}
