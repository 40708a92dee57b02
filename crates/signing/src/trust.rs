//! Whose signatures count.

use std::path::{Path, PathBuf};

use judge::{ReadError, read_regular_file};

use crate::SIGNATURE_EXTENSION;
use crate::key::Key;
use crate::key_list::{self, KeyList, KeyListError};
use crate::signature::{self, Signature, SignatureError};

/// Why a signature doesn't count, or a key list can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The signature is damaged.
    #[error("the signature {} can't be used: {source}", path.display())]
    Signature {
        /// The signature's file.
        path: PathBuf,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// A key that isn't trusted has signed, or nobody.
    #[error(
        "{} names the key {id}, which is not trusted here, or which has not signed this; have a trusted key sign, or trust \
         the key if you know whose it is",
        path.display()
    )]
    Untrusted {
        /// The signature's file.
        path: PathBuf,
        /// The number of the key, as the signature says.
        id: String,
    },
    /// A trusted key is named, but it hasn't signed these bytes.
    #[error("{} is not the signature of {key} of what it lies beside; copy both again, or have them signed again", path.display())]
    Invalid {
        /// The signature's file.
        path: PathBuf,
        /// The key that is named.
        key: Box<Key>,
    },
    /// The key that signed is revoked.
    #[error("{} is from {key}, which is revoked; have a trusted key sign again", path.display())]
    Revoked {
        /// The signature's file.
        path: PathBuf,
        /// The key.
        key: Box<Key>,
    },
    /// The key list, or its signature, can't be read.
    #[error("cannot read {}: {source}; copy the key list and its signature again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The key list can't be used although a root key has signed it.
    #[error("the key list {}: {source}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyListError,
    },
}

/// The keys whose signatures count, and those whose never do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    trusted: Vec<Key>,
    revoked: Vec<Key>,
}

impl Trust {
    /// Trusts these keys.
    #[must_use]
    pub const fn new(trusted: Vec<Key>) -> Self {
        Self { trusted, revoked: vec![] }
    }

    /// Reads a key list, which one of the keys `roots` must have signed. Returns its serial number, and trust in these keys and those
    /// of the list, without the ones that it revokes.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn with_list(mut self, roots: &[Key], path: &Path) -> Result<(Self, u64), TrustError> {
        let read = |path: &Path, max| {
            read_regular_file(path, max).map_err(|source| TrustError::Read { path: path.to_owned(), source })
        };
        let bytes = read(path, key_list::MAX_BYTES)?;
        let signature_path = signature_path(path);
        let signature = read(&signature_path, signature::MAX_BYTES)?;
        Self::new(roots.to_vec()).signer(&bytes, &signature, &signature_path)?;
        let list =
            KeyList::parse(&bytes).map_err(|source| TrustError::List { path: path.to_owned(), source })?;
        // First, so that the names of the list are used.
        self.trusted.splice(0..0, list.trusted);
        self.revoked.extend(list.revoked);
        Ok((self, list.serial))
    }

    /// Returns which trusted key has signed a message. `path` is that of the signature, for errors.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn signer(&self, message: &[u8], signature: &[u8], path: &Path) -> Result<&Key, TrustError> {
        let path = || path.to_owned();
        let signature =
            Signature::parse(signature).map_err(|source| TrustError::Signature { path: path(), source })?;
        // Before any trusted one: a list may revoke what a line file trusts.
        if let Some(key) = self.revoked.iter().find(|key| signature.is_valid(message, key)) {
            return Err(TrustError::Revoked { path: path(), key: Box::new(key.clone()) });
        }
        let is_trusted = |key: &&Key| self.trusts(key) && signature.is_valid(message, key);
        if let Some(key) = self.trusted.iter().find(is_trusted) {
            return Ok(key);
        }
        let id = signature.key_id();
        match self.trusted.iter().find(|key| key.id() == id) {
            Some(key) => Err(TrustError::Invalid { path: path(), key: Box::new(key.clone()) }),
            None => Err(TrustError::Untrusted { path: path(), id }),
        }
    }

    /// Returns whether a key's signatures count.
    #[must_use]
    pub fn trusts(&self, key: &Key) -> bool {
        let is_same = |other: &Key| other.is_same(key);
        self.trusted.iter().any(is_same) && !self.revoked.iter().any(is_same)
    }
}

/// Returns where the signature of a file is.
#[must_use]
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE_EXTENSION);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_key::SecretKey;

    fn key() -> (SecretKey, Key) {
        let secret = SecretKey::generate().unwrap();
        let public = secret.public().unwrap();
        (secret, public)
    }

    #[test]
    fn a_list_adds_keys_and_revokes_even_what_the_line_file_trusts() {
        let folder = tempfile::tempdir().unwrap();
        let ((root, root_key), (old, old_key), (new, new_key)) = (key(), key(), key());
        let path = folder.path().join("keys.toml");
        let text = format!(
            "format = 1\nserial = 9\ntrusted = [\"{} Ada\"]\nrevoked = [\"{} Bob\"]\n",
            new_key.text(),
            old_key.text()
        );
        std::fs::write(&path, &text).unwrap();
        let write = |by: &SecretKey| {
            std::fs::write(signature_path(&path), by.sign(text.as_bytes(), "keys").unwrap()).unwrap();
        };
        write(&root);
        let before = Trust::new(vec![old_key.clone()]);
        let (trust, serial) = before.clone().with_list(std::slice::from_ref(&root_key), &path).unwrap();
        assert_eq!(serial, 9);
        let signer = |trust: &Trust, by: &SecretKey| {
            let signed = by.sign(b"m", "c").unwrap();
            trust.signer(b"m", signed.as_bytes(), Path::new("s")).map(|key| key.name().to_owned())
        };
        assert_eq!(signer(&trust, &new).unwrap(), "Ada");
        assert!(matches!(signer(&trust, &old), Err(TrustError::Revoked { .. })));
        assert!(signer(&before, &old).is_ok() && !trust.trusts(&old_key));
        // The root key signs lists and nothing else, unless it is trusted too.
        assert!(matches!(signer(&trust, &root), Err(TrustError::Untrusted { .. })));
        let mut refused = vec![];
        write(&new);
        refused.push(before.clone().with_list(std::slice::from_ref(&root_key), &path));
        write(&root);
        std::fs::write(&path, text.replace("serial = 9", "serial = 8")).unwrap();
        refused.push(before.clone().with_list(std::slice::from_ref(&root_key), &path));
        std::fs::remove_file(&path).unwrap();
        refused.push(before.with_list(std::slice::from_ref(&root_key), &path));
        assert!(matches!(
            refused[..],
            [
                Err(TrustError::Untrusted { .. }),
                Err(TrustError::Invalid { .. }),
                Err(TrustError::Read { .. })
            ]
        ));
    }
}
