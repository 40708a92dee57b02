//! Telegrams: what became of one part, as bytes for a serial line.
//!
//! A version byte, a postcard payload and a CRC-32, encoded without zeros by COBS (Cheshire, Baker: *Consistent
//! Overhead Byte Stuffing*, IEEE/ACM Transactions on Networking 7, 1999) and terminated by a zero; see `SPEC.md`.

use serde::{Deserialize, Serialize};

use crate::{Disposition, Reason, Verdict};

/// The telegram version that this crate writes and reads.
pub const VERSION: u8 = 1;
/// Ends every telegram and never occurs inside one.
pub const DELIMITER: u8 = 0;
/// Maximum length of a valid telegram, delimiter included.
pub const MAX_LEN: usize = MAX_CONTENT_LEN + COBS_LEN + 1;

/// Version, run 5, part 10, product 3, verdict 2, disposition 1, reason 1, score 5, threshold 5, CRC.
const MAX_CONTENT_LEN: usize = 1 + 32 + CRC_LEN;
const CRC_LEN: usize = 4;
/// COBS adds one byte to contents of at most 254 bytes.
const COBS_LEN: usize = 1;

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
        let mut content = [0; MAX_CONTENT_LEN];
        let (version, payload) = content.split_first_mut().ok_or(TelegramError::Buffer)?;
        *version = VERSION;
        let checked_len = 1 + postcard::to_slice(self, payload).map_err(|_| TelegramError::Buffer)?.len();
        let (checked, rest) = content.split_at_mut_checked(checked_len).ok_or(TelegramError::Buffer)?;
        let crc = crc32fast::hash(checked).to_le_bytes();
        rest.get_mut(..CRC_LEN).ok_or(TelegramError::Buffer)?.copy_from_slice(&crc);
        let content = content.get(..checked_len + CRC_LEN).ok_or(TelegramError::Buffer)?;
        let stuffed = cobs::try_encode(content, buffer).map_err(|_| TelegramError::Buffer)?;
        *buffer.get_mut(stuffed).ok_or(TelegramError::Buffer)? = DELIMITER;
        buffer.get(..=stuffed).ok_or(TelegramError::Buffer)
    }

    /// Decodes the bytes of one telegram, without its delimiter. Never allocates, never panics.
    ///
    /// # Errors
    /// The first check that fails, in the order length, framing, checksum, version, contents.
    pub fn decode(stuffed: &[u8]) -> Result<Self, TelegramError> {
        if stuffed.len() >= MAX_LEN {
            return Err(TelegramError::TooLong);
        }
        if stuffed.contains(&DELIMITER) {
            return Err(TelegramError::Framing);
        }
        let mut content = [0; MAX_LEN];
        let len = cobs::decode(stuffed, &mut content).map_err(|_| TelegramError::Framing)?;
        let content = content.get(..len).ok_or(TelegramError::Framing)?;
        let (checked, crc) = content.split_last_chunk::<CRC_LEN>().ok_or(TelegramError::Framing)?;
        let (version, payload) = checked.split_first().ok_or(TelegramError::Framing)?;
        if crc32fast::hash(checked).to_le_bytes() != *crc {
            return Err(TelegramError::Checksum);
        }
        if *version != VERSION {
            return Err(TelegramError::Version(*version));
        }
        match postcard::take_from_bytes::<Self>(payload) {
            Ok((telegram, [])) if telegram.is_valid() => Ok(telegram),
            _ => Err(TelegramError::Malformed),
        }
    }

    fn is_valid(&self) -> bool {
        [self.score, self.threshold].into_iter().flatten().all(f32::is_finite)
    }
}

/// A decoder for telegrams in a stream of bytes. After garbage, it resynchronises at the next delimiter.
#[derive(Debug, Clone)]
pub struct Decoder {
    stuffed: [u8; MAX_LEN],
    /// Bytes since the last delimiter, including those that did not fit.
    len: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Creates a decoder that has seen nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { stuffed: [0; MAX_LEN], len: 0 }
    }

    /// Takes the next byte. At a delimiter that ends something, returns the telegram or the reason why it is not one.
    /// Delimiters with nothing between them are ignored.
    pub fn push(&mut self, byte: u8) -> Option<Result<Telegram, TelegramError>> {
        if byte != DELIMITER {
            if let Some(slot) = self.stuffed.get_mut(self.len) {
                *slot = byte;
            }
            self.len = self.len.saturating_add(1);
            return None;
        }
        let len = core::mem::take(&mut self.len);
        match self.stuffed.get(..len) {
            Some([]) => None,
            Some(stuffed) => Some(Telegram::decode(stuffed)),
            None => Some(Err(TelegramError::TooLong)),
        }
    }

    /// Takes the next bytes and yields each telegram or error that they complete.
    pub fn extend<'d>(
        &'d mut self,
        bytes: &'d [u8],
    ) -> impl Iterator<Item = Result<Telegram, TelegramError>> + 'd {
        bytes.iter().filter_map(|byte| self.push(*byte))
    }
}
