//! Signatures, as minisign writes them: four lines, of which the first is not signed.
//!
//! Read more strictly than minisign does, so that one signature has one form: no line more or less, canonical Base64, and only the
//! prehashed algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{Key, id_text};

/// Larger signatures are refused; minisign's have about 300 bytes.
pub const MAX_BYTES: u64 = 4096;

/// Why a text is not a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It isn't a signature of minisign, or is damaged.
    #[error(
        "it is not a signature of minisign, or it is damaged; copy it again together with what it signs, or have that signed again"
    )]
    NotASignature,
    /// It signs the whole file and not its hash.
    #[error(
        "it is in minisign's old format, without a hash; sign again with minisign 0.11 or newer, or with `trainer sign`"
    )]
    Legacy,
}

/// A signature. It is not verified yet.
#[derive(Clone)]
pub struct Signature {
    id: [u8; 8],
    comment: String,
    inner: minisign_verify::Signature,
}

impl Signature {
    /// Parses a signature.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let refused = SignatureError::NotASignature;
        let text = std::str::from_utf8(bytes).map_err(|_| refused)?;
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(refused)?.split('\n').collect();
        let [untrusted, first, trusted, second] = lines[..] else { return Err(refused) };
        if !untrusted.starts_with("untrusted comment: ") || untrusted.chars().any(char::is_control) {
            return Err(refused);
        }
        // minisign separates the parts of its own trusted comment by tabs.
        let comment = trusted.strip_prefix("trusted comment: ").ok_or(refused)?;
        if comment.chars().any(|c| c.is_control() && c != '\t') {
            return Err(refused);
        }
        let decode = |line: &str| STANDARD.decode(line).map_err(|_| refused);
        let (first, second) = (decode(first)?, decode(second)?);
        let (algorithm, rest) = first.split_first_chunk::<2>().ok_or(refused)?;
        match algorithm {
            b"ED" => {}
            b"Ed" => return Err(SignatureError::Legacy),
            _ => return Err(refused),
        }
        let (id, signature) = rest.split_first_chunk::<8>().ok_or(refused)?;
        if signature.len() != 64 || second.len() != 64 {
            return Err(refused);
        }
        let inner = minisign_verify::Signature::decode(text).map_err(|_| refused)?;
        Ok(Self { id: *id, comment: comment.to_owned(), inner })
    }

    /// Returns the number of the key that claims to have signed, as minisign prints it.
    #[must_use]
    pub fn key_id(&self) -> String {
        id_text(self.id)
    }

    /// Returns the comment that the signature covers. It can be trusted only after [`Self::is_valid`].
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Returns whether this is the key's signature of the message, and covers the trusted comment.
    #[must_use]
    pub fn is_valid(&self, message: &[u8], key: &Key) -> bool {
        key.verifier().verify(message, &self.inner, false).is_ok()
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signature").field("key", &self.key_id()).field("comment", &self.comment).finish()
    }
}

#[cfg(all(test, feature = "bundles"))]
mod tests {
    use super::*;
    use crate::secret_key::SecretKey;

    #[test]
    fn a_signature_is_valid_for_its_message_and_key_alone() {
        let (secret, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let signature =
            Signature::parse(secret.sign(b"message", "cap, serial 1").unwrap().as_bytes()).unwrap();
        let key = secret.public().unwrap();
        assert!(signature.is_valid(b"message", &key));
        assert_eq!((signature.comment(), signature.key_id()), ("cap, serial 1", key.id()));
        assert!(!signature.is_valid(b"Message", &key) && !signature.is_valid(b"", &key));
        assert!(!signature.is_valid(b"message", &other.public().unwrap()));
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_refused() {
        let secret = SecretKey::generate().unwrap();
        let key = secret.public().unwrap();
        let text = secret.sign(b"message", "comment").unwrap().into_bytes();
        for length in 0..text.len() {
            assert!(Signature::parse(&text[..length]).is_err(), "{length} bytes");
        }
        let unsigned = text.iter().position(|byte| *byte == b'\n').unwrap();
        // The untrusted comment isn't signed, by minisign's design.
        for bit in 8 * unsigned..8 * text.len() {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let valid =
                Signature::parse(&flipped).is_ok_and(|signature| signature.is_valid(b"message", &key));
            assert!(!valid, "bit {bit}");
        }
        let text = String::from_utf8(text).unwrap();
        for wrong in
            [text.replace('\n', "\r\n"), format!("{text}\n"), format!("{text}x\n"), format!("\n{text}")]
        {
            assert_eq!(Signature::parse(wrong.as_bytes()).unwrap_err(), SignatureError::NotASignature);
        }
    }
}
