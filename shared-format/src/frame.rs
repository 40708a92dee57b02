//! The frame of every telegram: a version byte, a postcard payload and a CRC-32, encoded without zeros by COBS and terminated
//! by a zero; see `SPEC.md`.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Ends every telegram and never occurs inside one.
pub const DELIMITER: u8 = 0;
/// Bytes of the checksum.
pub(crate) const CRC_LEN: usize = 4;

/// Why a frame can't be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// More bytes without a delimiter than any frame has.
    TooLong,
    /// Not valid COBS, or too few bytes.
    Framing,
    /// The checksum doesn't match.
    Checksum,
    /// Another version.
    Version(u8),
    /// The checksum matches, but the payload is not one of this version.
    Malformed,
    /// The buffer is too small.
    Buffer,
}

/// Returns the length of the longest frame, delimiter included, whose version, payload and checksum have at most
/// `content_len` bytes.
pub(crate) const fn max_len(content_len: usize) -> usize {
    cobs::max_encoding_length(content_len) + 1
}

/// Encodes into `buffer` and returns the used part, delimiter included. `CONTENT` is the largest length of version, payload
/// and checksum together.
pub(crate) fn encode<'b, const CONTENT: usize>(
    version: u8,
    payload: &impl Serialize,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], FrameError> {
    let mut content = [0; CONTENT];
    let (first, rest) = content.split_first_mut().ok_or(FrameError::Buffer)?;
    *first = version;
    let checked_len = 1 + postcard::to_slice(payload, rest).map_err(|_| FrameError::Buffer)?.len();
    let (checked, rest) = content.split_at_mut_checked(checked_len).ok_or(FrameError::Buffer)?;
    let crc = crc32fast::hash(checked).to_le_bytes();
    rest.get_mut(..CRC_LEN).ok_or(FrameError::Buffer)?.copy_from_slice(&crc);
    let content = content.get(..checked_len + CRC_LEN).ok_or(FrameError::Buffer)?;
    let stuffed = cobs::try_encode(content, buffer).map_err(|_| FrameError::Buffer)?;
    *buffer.get_mut(stuffed).ok_or(FrameError::Buffer)? = DELIMITER;
    buffer.get(..=stuffed).ok_or(FrameError::Buffer)
}

/// Decodes the bytes of one frame, without its delimiter. `LEN` is the length of the longest frame.
pub(crate) fn decode<T: DeserializeOwned, const LEN: usize>(
    version: u8,
    stuffed: &[u8],
) -> Result<T, FrameError> {
    if stuffed.len() >= LEN {
        return Err(FrameError::TooLong);
    }
    if stuffed.contains(&DELIMITER) {
        return Err(FrameError::Framing);
    }
    let mut content = [0; LEN];
    let len = cobs::decode(stuffed, &mut content).map_err(|_| FrameError::Framing)?;
    let content = content.get(..len).ok_or(FrameError::Framing)?;
    let (checked, crc) = content.split_last_chunk::<CRC_LEN>().ok_or(FrameError::Framing)?;
    let (found, payload) = checked.split_first().ok_or(FrameError::Framing)?;
    if crc32fast::hash(checked).to_le_bytes() != *crc {
        return Err(FrameError::Checksum);
    }
    if *found != version {
        return Err(FrameError::Version(*found));
    }
    match postcard::take_from_bytes::<T>(payload) {
        Ok((value, [])) => Ok(value),
        _ => Err(FrameError::Malformed),
    }
}

/// Splits a stream of bytes into frames. `LEN` is the length of the longest frame.
#[derive(Debug, Clone)]
pub(crate) struct FrameSplitter<const LEN: usize> {
    stuffed: [u8; LEN],
    /// Bytes since the last delimiter, including those that did not fit.
    len: usize,
}

impl<const LEN: usize> FrameSplitter<LEN> {
    pub(crate) const fn new() -> Self {
        Self { stuffed: [0; LEN], len: 0 }
    }

    /// Takes the next byte. At a delimiter that ends something, returns the frame's bytes, or `None` inside if there were too
    /// many.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Option<&[u8]>> {
        if byte != DELIMITER {
            if let Some(slot) = self.stuffed.get_mut(self.len) {
                *slot = byte;
            }
            self.len = self.len.saturating_add(1);
            return None;
        }
        match self.stuffed.get(..core::mem::take(&mut self.len)) {
            Some([]) => None,
            stuffed => Some(stuffed),
        }
    }
}
