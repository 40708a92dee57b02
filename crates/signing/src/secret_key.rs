//! Makes secret keys, reads them and signs. The files are minisign's own.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bundle::atomic::{sync_folder, write_file};
use judge::{ReadError, read_regular_file};
use minisign::{KeyPair, PublicKey, SecretKeyBox};

use crate::key::{Key, KeyError};

/// Larger files are no secret keys.
const MAX_BYTES: u64 = 4096;
/// Length of a secret key in minisign's format.
const KEY_BYTES: usize = 158;
/// The board's secret key, in its folder.
const BOARD_KEY: &str = "board.key";
/// The board's public key, in its folder.
const BOARD_PUBLIC_KEY: &str = "board.pub";

/// Why a secret key can't be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The file can't be read.
    #[error("cannot read the secret key {}: {source}; check the path, or make one with `trainer key new`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The file isn't a secret key, or its password is wrong.
    #[error("{} is not a secret key of minisign, or the password is wrong: {source}; check both", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// minisign's error.
        source: minisign::PError,
    },
    /// A key can't be made, or can't sign: the system has no random numbers.
    #[error("cannot make a key or signature: {0}; try again")]
    Sign(#[from] minisign::PError),
    /// The public key of a secret one can't be read.
    #[error(transparent)]
    Public(#[from] KeyError),
    /// The file for the secret key has the name of the one for the public key.
    #[error("{} is the name of the public key's file; give one that doesn't end in .pub, such as office.key", path.display())]
    PublicName {
        /// The file.
        path: PathBuf,
    },
    /// A key's file exists already.
    #[error("{} already exists; give another name: a key that is lost can't be made again", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A key can't be written.
    #[error("cannot write the key {}: {source}; check the folder and its permissions", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A secret key that can sign.
pub struct SecretKey(minisign::SecretKey);

impl SecretKey {
    /// Makes a key without a password.
    ///
    /// # Errors
    /// [`SecretKeyError::Sign`]
    pub fn generate() -> Result<Self, SecretKeyError> {
        Ok(Self(KeyPair::generate_unencrypted_keypair()?.sk))
    }

    /// Reads a secret key. If it has a password, it is asked for at the terminal.
    ///
    /// # Errors
    /// [`SecretKeyError`]
    pub fn read(path: &Path) -> Result<Self, SecretKeyError> {
        let bytes = read_regular_file(path, MAX_BYTES)
            .map_err(|source| SecretKeyError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let damaged = |source| SecretKeyError::Damaged { path: path.to_owned(), source };
        let parsed = || SecretKeyBox::from_string(&text);
        if let Ok(key) = parsed().and_then(SecretKeyBox::into_unencrypted_secret_key) {
            return Ok(Self(key));
        }
        if let Some(key) = without_checksum(&text) {
            return Ok(Self(key));
        }
        parsed().and_then(|key| key.into_secret_key(None)).map(Self).map_err(damaged)
    }

    /// Returns the public key.
    ///
    /// # Errors
    /// If minisign and this program disagree about the key.
    pub fn public(&self) -> Result<Key, SecretKeyError> {
        Ok(Key::parse(&PublicKey::from_secret_key(&self.0)?.to_base64())?)
    }

    /// Returns the contents of the public key's file.
    ///
    /// # Errors
    /// As [`Self::public`].
    pub fn public_file(&self) -> Result<String, SecretKeyError> {
        Ok(PublicKey::from_secret_key(&self.0)?.to_box()?.into_string())
    }

    /// Signs a message. The signature covers the comment too.
    ///
    /// # Errors
    /// [`SecretKeyError::Sign`]
    pub fn sign(&self, message: &[u8], comment: &str) -> Result<String, SecretKeyError> {
        let unsigned = format!("signature from key {}", self.public()?.id());
        // With the public key it is verified at once: a damaged secret key without a checksum shows here.
        let public = PublicKey::from_secret_key(&self.0)?;
        Ok(minisign::sign(Some(&public), &self.0, message, Some(comment), Some(&unsigned))?.into_string())
    }
}

/// Reads a key without a password as minisign's own program writes it: unlike the crate, it leaves the checksum zero.
fn without_checksum(text: &str) -> Option<minisign::SecretKey> {
    let bytes = STANDARD.decode(text.lines().nth(1)?.trim()).ok()?;
    let (rest, checksum) = bytes.split_last_chunk::<32>()?;
    let is_plain = bytes.len() == KEY_BYTES && rest.get(2..4) == Some(&[0, 0]) && checksum == &[0; 32];
    if is_plain { minisign::SecretKey::from_bytes(&bytes).ok() } else { None }
}

/// Makes a pair of keys: `path` is the secret one, readable by its owner alone, and `path` with the extension `pub` the public one.
/// With `ask`, a password is asked for at the terminal.
///
/// # Errors
/// [`SecretKeyError::Exists`] if one of the files exists, [`SecretKeyError::PublicName`] if both would have the same name; nothing is
/// written then.
pub fn write_pair(path: &Path, ask: bool) -> Result<Key, SecretKeyError> {
    let public_path = path.with_extension("pub");
    if public_path == path {
        return Err(SecretKeyError::PublicName { path: path.to_owned() });
    }
    for path in [path, &public_path] {
        if path.symlink_metadata().is_ok() {
            return Err(SecretKeyError::Exists { path: path.to_owned() });
        }
    }
    let pair = if ask {
        KeyPair::generate_encrypted_keypair(None)?
    } else {
        KeyPair::generate_unencrypted_keypair()?
    };
    let secret = pair.sk.to_box(Some("minisign secret key"))?.into_string();
    write_secret(path, &secret)?;
    let public = pair.pk.to_box()?.into_string();
    write_file(&public_path, public.as_bytes())
        .map_err(|source| SecretKeyError::Write { path: public_path, source })?;
    Ok(Key::parse(&pair.pk.to_base64())?)
}

/// Returns the board's own key in `folder`, which is made when it is first needed, without a password. Its public key lies beside it.
///
/// # Errors
/// [`SecretKeyError`]
pub fn board_key(folder: &Path) -> Result<SecretKey, SecretKeyError> {
    let path = folder.join(BOARD_KEY);
    if path.symlink_metadata().is_err() {
        let write = |source| SecretKeyError::Write { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(write)?;
        let key = SecretKey::generate()?;
        match write_secret(&path, &key.0.to_box(Some("minisign secret key of a board"))?.into_string()) {
            // Another program was faster: its key counts.
            Ok(()) | Err(SecretKeyError::Exists { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    let key = SecretKey::read(&path)?;
    let public = folder.join(BOARD_PUBLIC_KEY);
    if public.symlink_metadata().is_err() {
        let text = key.public_file()?;
        write_file(&public, text.as_bytes())
            .map_err(|source| SecretKeyError::Write { path: public, source })?;
    }
    Ok(key)
}

/// Writes a secret key whole or not at all. Temporary files are readable by their owner alone, and so is this one.
fn write_secret(path: &Path, text: &str) -> Result<(), SecretKeyError> {
    let write = |source| SecretKeyError::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(write)?;
    file.persist_noclobber(path).map_err(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => SecretKeyError::Exists { path: path.to_owned() },
        _ => write(e.error),
    })?;
    sync_folder(folder).map_err(write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_read_back_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.key");
        let key = write_pair(&path, false).unwrap();
        assert_eq!(SecretKey::read(&path).unwrap().public().unwrap(), key);
        let public = std::fs::read_to_string(folder.path().join("office.pub")).unwrap();
        assert_eq!(Key::parse_file(&public).unwrap(), key);
        assert!(matches!(write_pair(&path, false), Err(SecretKeyError::Exists { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(
            matches!(write_pair(&path, false), Err(SecretKeyError::Exists { .. })),
            "the public one is left"
        );
        assert!(!path.exists());
    }

    #[test]
    fn the_boards_key_is_made_once_and_is_its_own_secret() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("state/keys");
        let first = board_key(&keys).unwrap().public().unwrap();
        assert_eq!(board_key(&keys).unwrap().public().unwrap(), first);
        let public = std::fs::read_to_string(keys.join(BOARD_PUBLIC_KEY)).unwrap();
        assert_eq!(Key::parse_file(&public).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(keys.join(BOARD_KEY)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // A lost public key comes back; a damaged secret one is an error and is not replaced.
        std::fs::remove_file(keys.join(BOARD_PUBLIC_KEY)).unwrap();
        board_key(&keys).unwrap();
        assert!(keys.join(BOARD_PUBLIC_KEY).is_file());
        std::fs::create_dir(folder.path().join("other")).unwrap();
        let pipe = folder.path().join("other").join(BOARD_KEY);
        std::fs::create_dir(&pipe).unwrap();
        assert!(matches!(board_key(&folder.path().join("other")), Err(SecretKeyError::Read { .. })));
    }

    #[test]
    fn every_truncation_of_a_secret_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        write_pair(&path, false).unwrap();
        let whole = std::fs::read(&path).unwrap();
        // The last byte ends the line.
        for length in (0..whole.len() - 1).step_by(7) {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(SecretKey::read(&path).is_err(), "{length}");
        }
    }
}
