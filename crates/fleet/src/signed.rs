//! Verifies who signed the index, before anything of it is parsed.

use signing::{Key, Signature, SignatureError};

use crate::index::{Index, IndexError};

/// Why an index isn't accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// The signature is damaged.
    #[error("the signature of the index can't be used: {0}")]
    Signature(#[from] SignatureError),
    /// None of the trusted keys has signed these bytes.
    #[error(
        "the index is not what a trusted key signed (its signature names the key {0}); publish it again with a trusted key, or trust that \
         key if you know whose it is"
    )]
    Untrusted(String),
    /// It was signed, and can't be used.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Verifies an index's signature, and parses it.
///
/// # Errors
/// [`SignedError`]
pub fn read_signed(bytes: &[u8], signature: &[u8], keys: &[Key]) -> Result<Index, SignedError> {
    let signature = Signature::parse(signature)?;
    if !keys.iter().any(|key| signature.is_valid(bytes, key)) {
        return Err(SignedError::Untrusted(signature.key_id()));
    }
    Ok(Index::parse(bytes)?)
}

#[cfg(test)]
mod tests {
    use signing::SecretKey;

    use super::*;
    use crate::index::tests::index;

    #[test]
    fn only_what_a_trusted_key_signed_is_parsed() {
        let (secret, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let keys = [other.public().unwrap(), secret.public().unwrap()];
        let bytes = index().encode().unwrap();
        let signature = secret.sign(&bytes, "index").unwrap().into_bytes();
        assert_eq!(read_signed(&bytes, &signature, &keys), Ok(index()));
        assert!(matches!(read_signed(&bytes, &signature, &keys[..1]), Err(SignedError::Untrusted(_))));
        for byte in (0..bytes.len()).step_by(37) {
            let mut changed = bytes.clone();
            changed[byte] ^= 1;
            assert!(matches!(read_signed(&changed, &signature, &keys), Err(SignedError::Untrusted(_))));
        }
        for length in (0..bytes.len()).step_by(41) {
            let cut = read_signed(&bytes[..length], &signature, &keys);
            assert!(matches!(cut, Err(SignedError::Untrusted(_))));
        }
        assert!(matches!(read_signed(&bytes, &signature[..50], &keys), Err(SignedError::Signature(_))));
        let nonsense = secret.sign(b"{}", "index").unwrap();
        assert!(matches!(read_signed(b"{}", nonsense.as_bytes(), &keys), Err(SignedError::Index(_))));
    }
}
