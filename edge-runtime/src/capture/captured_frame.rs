//! One frame as the camera delivered it.

use std::sync::OnceLock;

use judge::{DecodeError, Frame};
use shared_format::Size;

use super::raw::{self, RawFormat, RawRows};
use crate::clock::Moment;

/// Data from the camera.
#[non_exhaustive]
pub enum FrameData {
    /// The bytes of an image file; from cameras, a JPEG.
    Encoded(Vec<u8>),
    /// Raw pixels.
    Raw {
        /// Their layout.
        format: RawFormat,
        /// Width and height in pixels.
        size: Size,
        /// Rows without padding.
        bytes: Vec<u8>,
    },
    /// A frame that needs no decoding.
    Frame(Frame),
    /// Nothing that could be decoded, with the reason: the driver reports damage, or the file can't be read.
    Refused(DecodeError),
}

/// A frame that nobody has decoded.
pub(crate) enum Undecoded<'f> {
    /// The bytes of an image file, and the largest size of the frame in it.
    File(&'f [u8], Size),
    /// Raw pixels.
    Rows(RawRows<'f>),
}

/// One frame as the camera delivered it. Presence, health and the inspector share it; it is decoded when the first of
/// them asks for it.
pub struct CapturedFrame {
    data: FrameData,
    captured_at: Moment,
    sequence: u64,
    /// Size of the largest frame that is decoded.
    max_size: Option<Size>,
    frame: OnceLock<Result<Frame, DecodeError>>,
    fingerprint: OnceLock<u32>,
    is_repeated: bool,
}

impl CapturedFrame {
    /// Creates a frame with the driver's capture time and frame number; a gap in the numbers means frames that the driver
    /// dropped.
    #[must_use]
    pub const fn new(data: FrameData, captured_at: Moment, sequence: u64) -> Self {
        Self {
            data,
            captured_at,
            sequence,
            max_size: None,
            frame: OnceLock::new(),
            fingerprint: OnceLock::new(),
            is_repeated: false,
        }
    }

    /// Refuses a frame larger than `max_size`, based on its header.
    #[must_use]
    pub const fn within(mut self, max_size: Option<Size>) -> Self {
        self.max_size = max_size;
        self
    }

    /// Returns what the camera delivered.
    pub(super) const fn data(&self) -> &FrameData {
        &self.data
    }

    /// Returns the driver's capture time.
    #[must_use]
    pub const fn captured_at(&self) -> Moment {
        self.captured_at
    }

    /// Returns the driver's frame number.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the frame, decoding it on the first call.
    ///
    /// # Errors
    /// [`DecodeError`], the same on every call, if the frame is damaged, truncated, or not of the agreed size.
    pub fn frame(&self) -> Result<&Frame, &DecodeError> {
        let decoded = match &self.data {
            FrameData::Frame(frame) => return Ok(frame),
            FrameData::Refused(error) => return Err(error),
            FrameData::Encoded(bytes) => self.frame.get_or_init(|| match self.max_size {
                Some(max_size) => judge::decode_within(bytes, max_size),
                None => judge::decode(bytes),
            }),
            FrameData::Raw { format, size, bytes } => {
                self.frame.get_or_init(|| raw::decode(*format, *size, bytes))
            }
        };
        decoded.as_ref()
    }

    /// Returns what can be judged without decoding all of it, if nobody has decoded it yet.
    #[must_use]
    pub(crate) fn undecoded(&self) -> Option<Undecoded<'_>> {
        if self.frame.get().is_some() {
            return None;
        }
        match &self.data {
            FrameData::Encoded(bytes) => {
                let any = Size { width: u32::MAX, height: u32::MAX };
                Some(Undecoded::File(bytes, self.max_size.unwrap_or(any)))
            }
            FrameData::Raw { format, size, bytes } => {
                // What is wrong with it is said when it is decoded.
                RawRows::of(*format, *size, bytes).ok().flatten().map(Undecoded::Rows)
            }
            FrameData::Frame(_) | FrameData::Refused(_) => None,
        }
    }

    /// Returns the memory in use, in bytes: the camera's data, plus the frame if it was decoded.
    #[must_use]
    pub fn memory(&self) -> usize {
        let given = match &self.data {
            FrameData::Encoded(bytes) | FrameData::Raw { bytes, .. } => bytes.len(),
            FrameData::Frame(frame) => frame.pixels().bytes().len(),
            FrameData::Refused(_) => 0,
        };
        let decoded = self.frame.get().and_then(|frame| frame.as_ref().ok());
        given + decoded.map_or(0, |frame| frame.pixels().bytes().len())
    }

    /// Returns whether the frame has been decoded.
    #[cfg(test)]
    pub(super) fn is_decoded(&self) -> bool {
        self.frame.get().is_some()
    }

    /// Returns whether the camera already delivered these bytes a few frames earlier: they show the past, not the present.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    pub(super) const fn set_repeated(&mut self) {
        self.is_repeated = true;
    }

    /// Returns the camera's own bytes if they are an image file, damaged or not.
    #[must_use]
    pub fn encoded(&self) -> Option<&[u8]> {
        match &self.data {
            FrameData::Encoded(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the camera's own bytes if they are a JPEG: encoding again would lose quality.
    #[must_use]
    pub fn jpeg(&self) -> Option<&[u8]> {
        match &self.data {
            FrameData::Encoded(bytes) if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the camera's JPEG as it came, or the frame as PNG, with the file's extension.
    ///
    /// # Errors
    /// A sentence that says why the frame can't be decoded or encoded.
    pub fn to_photo(&self) -> Result<(&'static str, Vec<u8>), String> {
        if let Some(jpeg) = self.jpeg() {
            return Ok(("jpg", jpeg.to_vec()));
        }
        let frame = self.frame().map_err(ToString::to_string)?;
        Ok(("png", judge::encode_png(frame).map_err(|e| e.to_string())?))
    }

    /// Returns a fingerprint that is equal for equal bytes, computed on the first call. A live camera's noise makes every
    /// picture different. It is a CRC-32: about one in four billion pairs of different pictures is taken for equal.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        *self.fingerprint.get_or_init(|| self.hash())
    }

    fn hash(&self) -> u32 {
        match &self.data {
            FrameData::Encoded(bytes) | FrameData::Raw { bytes, .. } => crc32fast::hash(bytes),
            FrameData::Frame(frame) => crc32fast::hash(frame.pixels().bytes()),
            // Damaged frames are neither a sign of life nor the same picture.
            FrameData::Refused(_) => crc32fast::hash(&self.sequence.to_le_bytes()),
        }
    }
}

impl std::fmt::Debug for CapturedFrame {
    /// Omits the bytes: there are millions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.data {
            FrameData::Encoded(bytes) => format!("Encoded({} bytes)", bytes.len()),
            FrameData::Raw { format, bytes, .. } => format!("{}({} bytes)", format.name(), bytes.len()),
            FrameData::Frame(frame) => format!("{frame:?}"),
            FrameData::Refused(error) => format!("Refused({error})"),
        };
        write!(f, "CapturedFrame #{} at {:?}: {kind}", self.sequence, self.captured_at)
    }
}

#[cfg(test)]
#[path = "captured_frame_tests.rs"]
mod tests;
