//! Byte strings of bounded length, without allocation.

use core::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Up to `N` bytes, serialised as a length and the bytes.
#[derive(Clone, Copy)]
pub(crate) struct ByteArray<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> ByteArray<N> {
    /// Returns the bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }

    /// Returns the bytes, followed by zeros.
    pub(crate) const fn padded(&self) -> [u8; N] {
        self.bytes
    }
}

/// Bytes, serialised the way [`ByteArray`] deserialises them.
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for ByteArray<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByteArrayVisitor<const N: usize>;

        impl<'de, const N: usize> Visitor<'de> for ByteArrayVisitor<N> {
            type Value = ByteArray<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {N} bytes")
            }

            fn visit_bytes<E: Error>(self, from: &[u8]) -> Result<ByteArray<N>, E> {
                let mut bytes = [0; N];
                let target = bytes.get_mut(..from.len()).ok_or(E::invalid_length(from.len(), &self))?;
                target.copy_from_slice(from);
                Ok(ByteArray { len: from.len(), bytes })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<ByteArray<N>, A::Error> {
                let (mut len, mut bytes) = (0, [0; N]);
                while let Some(value) = values.next_element()? {
                    let byte = bytes.get_mut(len);
                    *byte.ok_or(A::Error::invalid_length(len + 1, &self))? = value;
                    len += 1;
                }
                Ok(ByteArray { len, bytes })
            }
        }

        deserializer.deserialize_bytes(ByteArrayVisitor::<N>)
    }
}
