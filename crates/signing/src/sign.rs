//! Writes manifest and signature into a bundle, and the signature of a file beside it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use judge::{MODEL_FILE, ReadError, THRESHOLD_FILE, file_sha256, read_regular_file};

use crate::folder::{self, FolderError};
use crate::key::Key;
use crate::listed_files::ListedFile;
use crate::manifest::{MANIFEST_FILE, Manifest, ManifestError, SIGNATURE_FILE, is_plain_name};
use crate::secret_key::{SecretKey, SecretKeyError};
use crate::trust::signature_path;
use crate::verify::MAX_FILE_BYTES;
use crate::version::Version;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The folder is not a bundle.
    #[error("{} is not a bundle: it lacks {name}; give the folder that `trainer export` wrote", folder.display())]
    NotABundle {
        /// The folder.
        folder: PathBuf,
        /// The file that is missing.
        name: &'static str,
    },
    /// The bundle's name can't be that of a folder on every system.
    #[error(
        "the name {0:?} is not allowed for a bundle; use only letters, digits, -, _ and ., without a leading dot"
    )]
    Name(String),
    /// The serial number is 0.
    #[error("the serial number 0 is not allowed; give 1 or more")]
    Serial,
    /// The folder holds something that can't be signed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file can't be read.
    #[error("cannot read {}: {source}; check its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The manifest can't be written as JSON.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The key can't sign.
    #[error(transparent)]
    Key(#[from] SecretKeyError),
    /// A file can't be written.
    #[error("cannot write {}: {source}; check free space and permissions", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Signs a bundle under a name and a serial number. Until the last step it counts as unsigned, so a power cut at any moment leaves no
/// wrong signature. Returns the manifest, and the key that signed.
///
/// # Errors
/// [`SignError`]; the bundle may then be unsigned.
pub fn sign_bundle(
    folder: &Path,
    name: &str,
    serial: u64,
    minimum_version: Version,
    key: &SecretKey,
) -> Result<(Manifest, Key), SignError> {
    if !is_plain_name(name) {
        return Err(SignError::Name(name.to_owned()));
    }
    if serial == 0 {
        return Err(SignError::Serial);
    }
    for name in [MODEL_FILE, THRESHOLD_FILE] {
        if !folder.join(name).is_file() {
            return Err(SignError::NotABundle { folder: folder.to_owned(), name });
        }
    }
    let mut files = BTreeMap::new();
    for (name, path) in folder::list(folder)? {
        let bytes =
            read_regular_file(&path, MAX_FILE_BYTES).map_err(|source| SignError::Read { path, source })?;
        files.insert(name, ListedFile { bytes: bytes.len() as u64, sha256: file_sha256(&bytes) });
    }
    let manifest = Manifest { name: name.to_owned(), serial, minimum_version, files };
    let encoded = manifest.encode()?;
    let signature = key.sign(&encoded, &format!("bundle {name}, serial number {serial}"))?;
    let signature_path = folder.join(SIGNATURE_FILE);
    match std::fs::remove_file(&signature_path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            return Err(SignError::Write { path: signature_path, source });
        }
        _ => {}
    }
    write(&folder.join(MANIFEST_FILE), &encoded)?;
    write(&signature_path, signature.as_bytes())?;
    Ok((manifest, key.public()?))
}

/// Signs a file; the signature lies beside it, with the extension `minisig` after the file's own. Returns its path.
///
/// # Errors
/// [`SignError`]
pub fn sign_file(path: &Path, key: &SecretKey) -> Result<PathBuf, SignError> {
    let bytes = read_regular_file(path, MAX_FILE_BYTES)
        .map_err(|source| SignError::Read { path: path.to_owned(), source })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let comment: String = name.chars().filter(|c| !c.is_control()).collect();
    let signature = key.sign(&bytes, &format!("file {comment}"))?;
    let signature_path = signature_path(path);
    write(&signature_path, signature.as_bytes())?;
    Ok(signature_path)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), SignError> {
    write_file(path, bytes).map_err(|source| SignError::Write { path: path.to_owned(), source })
}
