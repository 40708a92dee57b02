//! Key lists: which keys are trusted and which are revoked. A root key signs the list, so that a line file needs to name only the
//! root key, and keys can change without it.

use serde::Deserialize;

use crate::key::{Key, KeyError};

/// Larger lists are refused.
pub const MAX_BYTES: u64 = 256 << 10;
/// The format that this program reads.
const FORMAT: u32 = 1;

/// Why a key list can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyListError {
    /// It isn't the TOML of a key list.
    #[error("it is not a key list: {0}; see docs/signing.md")]
    Syntax(String),
    /// It has another format.
    #[error(
        "it has the format {0}, and this program reads {FORMAT}; update the program, or correct the list"
    )]
    Format(u32),
    /// The serial number is 0.
    #[error("serial = 0 is not allowed; give 1, and a higher number with each change")]
    Serial,
    /// One of the keys is damaged.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key is named twice.
    #[error("{0} is there twice; name each key once")]
    Twice(Box<Key>),
}

/// Trusted and revoked keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyList {
    /// Rises with each change; from 1.
    pub serial: u64,
    /// The keys whose signatures count.
    pub trusted: Vec<Key>,
    /// The keys whose signatures never count, whatever else trusts them.
    pub revoked: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    format: u32,
    serial: u64,
    #[serde(default)]
    trusted: Vec<String>,
    #[serde(default)]
    revoked: Vec<String>,
}

impl KeyList {
    /// Parses a key list. Verify its signature first.
    ///
    /// # Errors
    /// [`KeyListError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyListError> {
        let text = std::str::from_utf8(bytes).map_err(|e| KeyListError::Syntax(e.to_string()))?;
        let toml: Toml =
            toml::from_str(text).map_err(|e| KeyListError::Syntax(e.to_string().trim_end().to_owned()))?;
        if toml.format != FORMAT {
            return Err(KeyListError::Format(toml.format));
        }
        if toml.serial == 0 {
            return Err(KeyListError::Serial);
        }
        let keys =
            |texts: &[String]| texts.iter().map(|text| Key::parse(text)).collect::<Result<Vec<_>, _>>();
        let (trusted, revoked) = (keys(&toml.trusted)?, keys(&toml.revoked)?);
        let mut seen: Vec<&Key> = vec![];
        for key in trusted.iter().chain(&revoked) {
            if seen.iter().any(|other| other.is_same(key)) {
                return Err(KeyListError::Twice(Box::new(key.clone())));
            }
            seen.push(key);
        }
        Ok(Self { serial: toml.serial, trusted, revoked })
    }
}

#[cfg(all(test, feature = "bundles"))]
mod tests {
    use super::*;
    use crate::secret_key::SecretKey;

    #[test]
    fn a_list_names_each_key_once() {
        let [a, b] = [(); 2].map(|()| SecretKey::generate().unwrap().public().unwrap());
        let list = |trusted: &str, revoked: &str| {
            format!("format = 1\nserial = 4\ntrusted = [{trusted}]\nrevoked = [{revoked}]\n")
        };
        let (ada, bob) = (format!("\"{} Ada\"", a.text()), format!("\"{} Bob\"", b.text()));
        let parsed = KeyList::parse(list(&ada, &bob).as_bytes()).unwrap();
        assert_eq!((parsed.serial, parsed.trusted[0].name(), parsed.revoked[0].name()), (4, "Ada", "Bob"));
        let twice = KeyList::parse(list(&ada, &ada).as_bytes());
        assert!(matches!(twice, Err(KeyListError::Twice(_))), "{twice:?}");
        let whole = list(&ada, &bob);
        for (right, wrong, named) in [
            ("format = 1", "format = 2", "format 2"),
            ("format = 1", "", "format"),
            ("serial = 4", "serial = 0", "serial"),
            ("serial = 4", "serial = 4\nexpires = 1", "expires"),
            ("\"RW", "\"RX", "public key"),
        ] {
            let refused = KeyList::parse(whole.replacen(right, wrong, 1).as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
        assert!(matches!(KeyList::parse(b"\xff"), Err(KeyListError::Syntax(_))));
    }
}
