//! Checks a bundle's signature, then its manifest, then its files. Nothing is parsed before its signature or hash has been checked,
//! but the signature itself.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use judge::{MODEL_FILE, ReadError, THRESHOLD_FILE, file_sha256, read_regular_file};

use crate::folder::{self, FolderError};
use crate::key::Key;
use crate::manifest::{self, MANIFEST_FILE, Manifest, ManifestError, SIGNATURE_FILE};
use crate::signature::{self, Signature};
use crate::trust::{Trust, TrustError};
use crate::version::Version;

/// Larger files are refused, as the judge refuses larger models.
pub(crate) const MAX_FILE_BYTES: u64 = 2 << 30;

/// Why a bundle isn't accepted as signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no manifest, or no signature.
    #[error("the bundle {} is not signed, it lacks {name}; sign it with `trainer sign`, and copy the whole folder", folder.display())]
    Unsigned {
        /// The bundle.
        folder: PathBuf,
        /// The file that is missing.
        name: &'static str,
    },
    /// Manifest, signature or a file can't be read.
    #[error("cannot read {}: {source}; check its permissions, or copy the bundle again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The signature doesn't count.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The manifest was signed, and can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The bundle was signed for another place.
    #[error("the bundle {} was signed as {name:?}; put it in a folder of that name, or sign it again", folder.display())]
    Name {
        /// The bundle.
        folder: PathBuf,
        /// The name in the manifest.
        name: String,
    },
    /// The bundle needs a newer program.
    #[error("the bundle {} needs version {needed} or newer, and this is {}; update this program", folder.display(), Version::of_this_program())]
    Version {
        /// The bundle.
        folder: PathBuf,
        /// The version that it needs.
        needed: Version,
    },
    /// The folder can't be that of a signed bundle.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file was signed, and isn't there.
    #[error("{} is missing, which was signed; copy the whole bundle folder again", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is there that wasn't signed.
    #[error("{} is not part of what was signed; remove it, or copy the whole bundle folder again", path.display())]
    Extra {
        /// The file.
        path: PathBuf,
    },
    /// A file isn't the one that was signed.
    #[error("{} is not the file that was signed; copy the whole bundle folder again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// A bundle whose signature, manifest and files have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBundle {
    /// What it consists of.
    pub manifest: Manifest,
    /// Who signed it.
    pub signer: Key,
}

/// Which files are read and hashed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All files.
    All,
    /// All but model and threshold file, whose hashes the judge checks when it reads them: a model is large.
    AllButJudged,
}

/// Checks that someone trusted has signed the bundle under the name of its folder, and that it consists of exactly the files that were
/// signed.
///
/// # Errors
/// [`VerifyError`]
pub fn verify_bundle(
    folder: &Path,
    name: &str,
    trust: &Trust,
    extent: Extent,
) -> Result<SignedBundle, VerifyError> {
    let (bytes, signature) = read_both(folder)?;
    let signer = trust.signer(&bytes, &signature, &folder.join(SIGNATURE_FILE))?.clone();
    let manifest = Manifest::parse(&bytes)?;
    if manifest.name != name {
        return Err(VerifyError::Name { folder: folder.to_owned(), name: manifest.name });
    }
    if manifest.minimum_version > Version::of_this_program() {
        return Err(VerifyError::Version { folder: folder.to_owned(), needed: manifest.minimum_version });
    }
    let mut found = folder::list(folder)?;
    for (name, file) in &manifest.files {
        let Some(path) = found.remove(name) else {
            return Err(VerifyError::Missing { path: folder.join(name) });
        };
        if extent == Extent::AllButJudged && (name == MODEL_FILE || name == THRESHOLD_FILE) {
            continue;
        }
        let changed = || VerifyError::Changed { path: path.clone() };
        let bytes = match read_regular_file(&path, file.bytes.min(MAX_FILE_BYTES)) {
            Ok(bytes) => bytes,
            Err(ReadError::TooLarge { .. }) => return Err(changed()),
            Err(source) => return Err(VerifyError::Read { path, source }),
        };
        if bytes.len() as u64 != file.bytes || file_sha256(&bytes) != file.sha256 {
            return Err(changed());
        }
    }
    match found.into_values().next() {
        Some(path) => Err(VerifyError::Extra { path }),
        None => Ok(SignedBundle { manifest, signer }),
    }
}

/// Says who claims to have signed a bundle, without checking it: serial number and the key's number. `None` if it isn't signed, or
/// what is there can't be read.
#[must_use]
pub fn unverified(folder: &Path) -> Option<(u64, String)> {
    let (bytes, signature) = read_both(folder).ok()?;
    Some((Manifest::parse(&bytes).ok()?.serial, Signature::parse(&signature).ok()?.key_id()))
}

fn read_both(folder: &Path) -> Result<(Vec<u8>, Vec<u8>), VerifyError> {
    let read = |name: &'static str, max| {
        let path = folder.join(name);
        read_regular_file(&path, max).map_err(|e| match e {
            ReadError::Io(e) if e.kind() == ErrorKind::NotFound => {
                VerifyError::Unsigned { folder: folder.to_owned(), name }
            }
            source => VerifyError::Read { path, source },
        })
    };
    Ok((read(MANIFEST_FILE, manifest::MAX_BYTES)?, read(SIGNATURE_FILE, signature::MAX_BYTES)?))
}
