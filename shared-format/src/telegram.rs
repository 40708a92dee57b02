//! Telegrams: what became of one part, as bytes for a serial line.
//!
//! A version byte, a postcard payload and a CRC-32, encoded without zeros by COBS (Cheshire, Baker: *Consistent
//! Overhead Byte Stuffing*, IEEE/ACM Transactions on Networking 7, 1999) and terminated by a zero; see `SPEC.md`.

use serde::{Deserialize, Serialize};

use crate::frame::{self, CRC_LEN, FrameError, FrameSplitter};
use crate::{Disposition, Reason, Verdict};

pub use crate::frame::DELIMITER;

/// The telegram version that this crate writes and reads.
pub const VERSION: u8 = 1;
/// Maximum length of a valid telegram, delimiter included.
pub const MAX_LEN: usize = frame::max_len(MAX_CONTENT_LEN);

/// Version, run 5, part 10, product 3, verdict 2, disposition 1, reason 1, score 5, threshold 5, CRC.
const MAX_CONTENT_LEN: usize = 1 + 32 + CRC_LEN;

/// What became of one part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Telegram {
    /// The program start that the part belongs to, counted on the device.
    pub run: u32,
    /// The part's number, from 1 in each run.
    pub part: u64,
    /// Index of its product in the line file, from 0.
    pub product: u16,
    /// Its verdict, if it arrived in time.
    pub verdict: Option<Verdict>,
    /// Where it went.
    pub disposition: Disposition,
    /// Why.
    pub reason: Reason,
    /// Its score, if it has one.
    pub score: Option<f32>,
    /// The threshold that the score was compared with.
    pub threshold: Option<f32>,
}

/// Why bytes are not a telegram, or why a telegram can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// More bytes without a delimiter than any telegram has.
    #[error(
        "received more than {MAX_LEN} bytes without a delimiter; check that both ends use telegrams and the same bit rate"
    )]
    TooLong,
    /// The bytes are not valid COBS, or there are too few.
    #[error("the telegram is cut short or not valid COBS; wait for the next one, or check the wiring")]
    Framing,
    /// The checksum doesn't match.
    #[error(
        "the telegram is damaged (its CRC-32 does not match); wait for the next one, or check the wiring"
    )]
    Checksum,
    /// Written by a program that uses another version.
    #[error("the telegram has version {0}, but this program reads version {VERSION}; update the older end")]
    Version(u8),
    /// The checksum matches, but the payload is not one that this version writes, or a value is out of range.
    #[error("the telegram has invalid values; give a finite score and threshold, or none")]
    Malformed,
    /// The buffer to encode into is too small; [`MAX_LEN`] bytes always suffice.
    #[error("the buffer is too small for a telegram; give it {MAX_LEN} bytes")]
    Buffer,
}

impl Telegram {
    /// Encodes into `buffer` and returns the used part, delimiter included. Never allocates, never panics.
    ///
    /// # Errors
    /// [`TelegramError::Buffer`] if the buffer is too small, [`TelegramError::Malformed`] if score or threshold is not
    /// finite: what could not be read back is never written.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], TelegramError> {
        if !self.is_valid() {
            return Err(TelegramError::Malformed);
        }
        Ok(frame::encode::<MAX_CONTENT_LEN>(VERSION, self, buffer)?)
    }

    /// Decodes the bytes of one telegram, without its delimiter. Never allocates, never panics.
    ///
    /// # Errors
    /// The first check that fails, in the order length, framing, checksum, version, contents.
    pub fn decode(stuffed: &[u8]) -> Result<Self, TelegramError> {
        let telegram: Self = frame::decode::<_, MAX_LEN>(VERSION, stuffed)?;
        if telegram.is_valid() { Ok(telegram) } else { Err(TelegramError::Malformed) }
    }

    pub(crate) fn is_valid(&self) -> bool {
        [self.score, self.threshold].into_iter().flatten().all(f32::is_finite)
    }
}

impl From<FrameError> for TelegramError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong => Self::TooLong,
            FrameError::Framing => Self::Framing,
            FrameError::Checksum => Self::Checksum,
            FrameError::Version(version) => Self::Version(version),
            FrameError::Malformed => Self::Malformed,
            FrameError::Buffer => Self::Buffer,
        }
    }
}

/// A decoder for telegrams in a stream of bytes. After garbage, it resynchronises at the next delimiter.
#[derive(Debug, Clone)]
pub struct Decoder(FrameSplitter<MAX_LEN>);

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Creates a decoder that has seen nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(FrameSplitter::new())
    }

    /// Takes the next byte. At a delimiter that ends something, returns the telegram or the reason why it is not one.
    /// Delimiters with nothing between them are ignored.
    pub fn push(&mut self, byte: u8) -> Option<Result<Telegram, TelegramError>> {
        Some(self.0.push(byte)?.map_or(Err(TelegramError::TooLong), Telegram::decode))
    }

    /// Takes the next bytes and yields each telegram or error that they complete.
    pub fn extend<'d>(
        &'d mut self,
        bytes: &'d [u8],
    ) -> impl Iterator<Item = Result<Telegram, TelegramError>> + 'd {
        bytes.iter().filter_map(|byte| self.push(*byte))
    }
}
