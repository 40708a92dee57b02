//! The file with the hashes of both passwords.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use super::Role;

const FILE: &str = "passwords.json";
/// A limit far beyond two hashes.
const MAX_BYTES: u64 = 16 << 10;
/// Minimum length of a password in characters.
const MIN_LENGTH: usize = 10;
/// Maximum length of a password in bytes.
pub const MAX_LENGTH: usize = 200;

/// Why a password can't be set or checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is too short or too long.
    #[error(
        "a password has at least {MIN_LENGTH} characters and at most {MAX_LENGTH} bytes, on one line; choose another"
    )]
    Length,
    /// The file can't be read or written.
    #[error(
        "cannot use {path}: {source}; run this as root or as the gateway's user, and check that page.folder exists",
        path = path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is damaged.
    #[error(
        "{path} is damaged: {reason}; remove it and set both passwords with `gateway password`",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// No password was set for this role.
    #[error("no password is set for this role; set one on the board with `gateway password`")]
    NotSet,
    /// It can't be hashed.
    #[error("the password can't be hashed: {0}; report this")]
    Hash(String),
}

type Hashes = BTreeMap<String, String>;

/// Returns the file with the hashes in the page's folder.
pub fn passwords_file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Sets the password of a role. The file can be read by the owner of the folder alone.
///
/// # Errors
/// [`PasswordError`]; the file is then as before.
pub fn set_password(folder: &Path, role: Role, password: &str) -> Result<(), PasswordError> {
    let fits = password.chars().count() >= MIN_LENGTH
        && password.len() <= MAX_LENGTH
        && !password.chars().any(char::is_control);
    if !fits {
        return Err(PasswordError::Length);
    }
    let path = passwords_file(folder);
    let mut hashes = read(&path)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|e| PasswordError::Hash(e.to_string()))?;
    hashes.insert(role.as_str().to_owned(), hash.to_string());
    let failed = |source| PasswordError::Io { path: path.clone(), source };
    let json = serde_json::to_vec_pretty(&hashes).map_err(|e| failed(e.into()))?;
    let partial = folder.join(format!(".{FILE}.partial-{}", std::process::id()));
    let written = write(folder, &partial, &json).and_then(|()| std::fs::rename(&partial, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written.map_err(failed)
}

fn write(folder: &Path, partial: &Path, json: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial)?;
    let (folder, own) = (std::fs::metadata(folder)?, file.metadata()?);
    // Root sets the first password, and the gateway's user reads it.
    if (folder.uid(), folder.gid()) != (own.uid(), own.gid()) {
        // By handle: in a folder that another user controls, the path may lead elsewhere by now.
        fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
    }
    file.write_all(json)?;
    file.sync_all()
}

/// Returns the hash of a role's password. Checking against it takes tens of milliseconds; see [`verify`].
///
/// # Errors
/// [`PasswordError`]
pub fn hash_of(path: &Path, role: Role) -> Result<String, PasswordError> {
    read(path)?.remove(role.as_str()).ok_or(PasswordError::NotSet)
}

/// Checks a password and returns the hash that it fits; `None` if it is wrong. Takes tens of milliseconds.
///
/// # Errors
/// [`PasswordError`]
pub fn verify(path: &Path, role: Role, password: &str) -> Result<Option<String>, PasswordError> {
    let hash = hash_of(path, role)?;
    match Argon2::default().verify_password(password.as_bytes(), hash.as_str()) {
        Ok(()) => Ok(Some(hash)),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(None),
        Err(e) => Err(PasswordError::Damaged { path: path.to_owned(), reason: e.to_string() }),
    }
}

fn read(path: &Path) -> Result<Hashes, PasswordError> {
    let failed = |source| PasswordError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Hashes::new()),
        file => file.map_err(failed)?,
    };
    let mut bytes = vec![];
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| PasswordError::Damaged { path: path.to_owned(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const GOOD: &str = "correct horse";

    #[test]
    fn each_role_has_its_own_password_that_only_the_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = passwords_file(folder.path());
        assert!(matches!(verify(&path, Role::Operator, GOOD), Err(PasswordError::NotSet)));
        set_password(folder.path(), Role::Operator, GOOD).unwrap();
        assert!(verify(&path, Role::Operator, GOOD).unwrap().is_some());
        assert_eq!(verify(&path, Role::Operator, "correct horsf").unwrap(), None);
        assert!(matches!(verify(&path, Role::Engineer, GOOD), Err(PasswordError::NotSet)));
        set_password(folder.path(), Role::Engineer, "battery staple").unwrap();
        assert_eq!(verify(&path, Role::Engineer, GOOD).unwrap(), None);
        assert!(verify(&path, Role::Operator, GOOD).unwrap().is_some());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("$argon2id$") && !text.contains(GOOD), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn short_and_odd_passwords_and_damaged_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for wrong in ["", "too short", &"x".repeat(201), "two lines\nof text"] {
            let refused = set_password(folder.path(), Role::Operator, wrong);
            assert!(matches!(refused, Err(PasswordError::Length)), "{wrong}");
        }
        let path = passwords_file(folder.path());
        for damaged in [&b""[..], b"{\"operator\":", b"[]", b"\xff\xfe", b"{\"operator\":\"$argon2id$\"}"] {
            std::fs::write(&path, damaged).unwrap();
            let refused = verify(&path, Role::Operator, GOOD);
            assert!(matches!(refused, Err(PasswordError::Damaged { .. })), "{damaged:?} {refused:?}");
        }
        let nowhere = set_password(Path::new("/nowhere"), Role::Operator, GOOD);
        assert!(matches!(nowhere, Err(PasswordError::Io { .. })));
    }
}
