//! One frame as the camera gave it.

use std::sync::OnceLock;

use judge::{DecodeError, Frame};
use shared_format::Size;

use super::raw;
use crate::clock::Moment;

/// What came from the camera.
#[non_exhaustive]
pub enum Data {
    /// The bytes of an image file, JPEG from cameras.
    Encoded(Vec<u8>),
    /// YUV 4:2:2, packed as Y U Y V, BT.601 in limited range.
    Yuyv {
        /// Width and height in pixels.
        size: Size,
        /// Rows without padding.
        bytes: Vec<u8>,
    },
    /// 8-bit grey.
    Grey {
        /// Width and height in pixels.
        size: Size,
        /// Rows without padding.
        bytes: Vec<u8>,
    },
    /// A frame that needs no decoding.
    Frame(Frame),
    /// Nothing that could be decoded, and why: the driver says that it is damaged, the file can't be read.
    Refused(DecodeError),
}

/// One frame as the camera gave it. Presence, health and the inspector all look at the same one; it is decoded when the
/// first of them asks.
pub struct Captured {
    data: Data,
    captured_at: Moment,
    sequence: u64,
    /// The largest frame that is decoded.
    most: Option<Size>,
    frame: OnceLock<Result<Frame, DecodeError>>,
    fingerprint: OnceLock<u32>,
    is_repeated: bool,
}

impl Captured {
    /// A frame with the driver's capture time and its number; a gap in the numbers is a frame that the driver dropped.
    #[must_use]
    pub const fn new(data: Data, captured_at: Moment, sequence: u64) -> Self {
        Self {
            data,
            captured_at,
            sequence,
            most: None,
            frame: OnceLock::new(),
            fingerprint: OnceLock::new(),
            is_repeated: false,
        }
    }

    /// Refuses a frame that is larger than `most`, by its header.
    #[must_use]
    pub const fn within(mut self, most: Option<Size>) -> Self {
        self.most = most;
        self
    }

    /// When it was captured, by the driver.
    #[must_use]
    pub const fn captured_at(&self) -> Moment {
        self.captured_at
    }

    /// Its number, by the driver.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The frame, decoded at the first call.
    ///
    /// # Errors
    /// [`DecodeError`], the same at every call: damaged, cut short, or of another size than was agreed on.
    pub fn frame(&self) -> Result<&Frame, &DecodeError> {
        let decoded = match &self.data {
            Data::Frame(frame) => return Ok(frame),
            Data::Refused(error) => return Err(error),
            Data::Encoded(bytes) => self.frame.get_or_init(|| match self.most {
                Some(most) => judge::decode_within(bytes, most),
                None => judge::decode(bytes),
            }),
            Data::Yuyv { size, bytes } => self.frame.get_or_init(|| raw::yuyv(*size, bytes)),
            Data::Grey { size, bytes } => self.frame.get_or_init(|| raw::grey(*size, bytes)),
        };
        decoded.as_ref()
    }

    /// Bytes that it takes: what the camera gave, and the frame if it was decoded.
    #[must_use]
    pub fn memory(&self) -> usize {
        let given = match &self.data {
            Data::Encoded(bytes) | Data::Yuyv { bytes, .. } | Data::Grey { bytes, .. } => bytes.len(),
            Data::Frame(frame) => frame.pixels().bytes().len(),
            Data::Refused(_) => 0,
        };
        let decoded = self.frame.get().and_then(|frame| frame.as_ref().ok());
        given + decoded.map_or(0, |frame| frame.pixels().bytes().len())
    }

    /// Whether somebody has asked for the frame.
    #[cfg(test)]
    pub(super) fn is_decoded(&self) -> bool {
        self.frame.get().is_some()
    }

    /// Whether the camera gave these bytes a few frames before already: they show something that has been, not what is.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    pub(super) const fn set_repeated(&mut self) {
        self.is_repeated = true;
    }

    /// The camera's own bytes if they are an image file's, damaged or not.
    #[must_use]
    pub fn encoded(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Encoded(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The camera's own bytes where they are a JPEG: encoding again would lose.
    #[must_use]
    pub fn jpeg(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Encoded(bytes) if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) => Some(bytes),
            _ => None,
        }
    }

    /// Equal for equal bytes, computed at the first call. A live camera's noise makes each picture another one. It is a
    /// CRC-32: of two different pictures, one pair in four thousand million is taken for equal.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        *self.fingerprint.get_or_init(|| self.hash())
    }

    fn hash(&self) -> u32 {
        match &self.data {
            Data::Encoded(bytes) | Data::Yuyv { bytes, .. } | Data::Grey { bytes, .. } => {
                crc32fast::hash(bytes)
            }
            Data::Frame(frame) => crc32fast::hash(frame.pixels().bytes()),
            // Damaged ones are no sign of life, nor are they the same picture.
            Data::Refused(_) => crc32fast::hash(&self.sequence.to_le_bytes()),
        }
    }
}

impl std::fmt::Debug for Captured {
    /// Without the bytes: there are millions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.data {
            Data::Encoded(bytes) => format!("Encoded({} bytes)", bytes.len()),
            Data::Yuyv { bytes, .. } => format!("Yuyv({} bytes)", bytes.len()),
            Data::Grey { bytes, .. } => format!("Grey({} bytes)", bytes.len()),
            Data::Frame(frame) => format!("{frame:?}"),
            Data::Refused(error) => format!("Refused({error})"),
        };
        write!(f, "Captured #{} at {:?}: {kind}", self.sequence, self.captured_at)
    }
}

#[cfg(test)]
#[path = "captured_tests.rs"]
mod tests;
