//! Public keys, as minisign writes them: 56 characters of Base64 that begin with `RW`.

use std::fmt::{self, Display, Formatter};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest name of a key's owner, in characters.
const MAX_NAME: usize = 64;

/// Why a text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It isn't a key of minisign.
    #[error(
        "{0:?} is not a public key; give the line of the .pub file that begins with RW, and after a blank the name of its owner"
    )]
    NotAKey(String),
    /// The owner's name is too long or has control characters.
    #[error("{0:?} is not a name for the owner of a key; give at most {MAX_NAME} printable characters")]
    Name(String),
}

/// A public key, with the name of its owner if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    id: [u8; 8],
    point: [u8; 32],
    name: String,
    verifier: minisign_verify::PublicKey,
}

impl Key {
    /// Parses a key as a line file names it: the key's text and, after a blank, the name of its owner.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (key, name) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        Self::named(key, name.trim())
    }

    /// Parses a key's text, and gives it the name of its owner; an empty name is none.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn named(text: &str, name: &str) -> Result<Self, KeyError> {
        let refused = || KeyError::NotAKey(text.chars().take(100).collect());
        if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(KeyError::Name(name.chars().take(100).collect()));
        }
        let bytes: [u8; 42] =
            STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(refused)?;
        let [b'E', b'd', rest @ ..] = bytes else { return Err(refused()) };
        let (id, point) = rest.split_first_chunk::<8>().ok_or_else(refused)?;
        let point = point.try_into().map_err(|_| refused())?;
        let verifier = minisign_verify::PublicKey::from_base64(text).map_err(|_| refused())?;
        Ok(Self { text: text.to_owned(), id: *id, point, name: name.to_owned(), verifier })
    }

    /// Parses the contents of a `.pub` file: a comment, and the key's text on the second line.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn parse_file(contents: &str) -> Result<Self, KeyError> {
        let line = contents.lines().find(|line| line.starts_with("RW"));
        Self::named(line.unwrap_or(contents).trim(), "")
    }

    /// Returns the key's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the name of the owner; empty if it isn't known.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key's number as minisign prints it: 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        id_text(self.id)
    }

    /// Returns whether both are the same key, whatever its number and owner.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.point == other.point
    }

    pub(crate) const fn verifier(&self) -> &minisign_verify::PublicKey {
        &self.verifier
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "key {}", self.id())
        } else {
            write!(f, "{} (key {})", self.name, self.id())
        }
    }
}

/// Returns a key's number as minisign prints it: the last byte first.
pub(crate) fn id_text(id: [u8; 8]) -> String {
    format!("{:016X}", u64::from_le_bytes(id))
}

#[cfg(all(test, feature = "bundles"))]
mod tests {
    use super::*;
    use crate::secret_key::SecretKey;

    #[test]
    fn a_key_is_read_back_with_its_owner_and_from_its_file() {
        let secret = SecretKey::generate().unwrap();
        let key = secret.public().unwrap();
        let named = Key::parse(&format!(" {} Ada's laptop ", key.text())).unwrap();
        assert!(named.is_same(&key));
        assert_eq!((named.name(), named.id()), ("Ada's laptop", key.id()));
        assert_eq!(named.to_string(), format!("Ada's laptop (key {})", key.id()));
        let file = secret.public_file().unwrap();
        assert!(file.contains(&key.id()), "as minisign prints it: {file}");
        assert_eq!(Key::parse_file(&file).unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let text = SecretKey::generate().unwrap().public().unwrap().text().to_owned();
        for wrong in
            ["", "RW", "untrusted comment", &text[..55], &text.replace("RW", "RX"), &format!("{text}A")]
        {
            assert!(matches!(Key::parse(wrong), Err(KeyError::NotAKey(_))), "{wrong}");
        }
        for name in ["\u{7}", &"x".repeat(65)] {
            assert!(matches!(Key::named(&text, name), Err(KeyError::Name(_))), "{name:?}");
        }
        assert!(matches!(Key::parse_file("two\nlines"), Err(KeyError::NotAKey(_))));
    }
}
