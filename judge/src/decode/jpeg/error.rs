//! What is wrong with a JPEG file.

use super::super::DecodeError;

/// Name of the format in messages.
pub(super) const FORMAT: &str = "JPEG";

/// What is wrong with a JPEG file, in few words: a frame of a camera may meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("cut short")]
    CutShort,
    #[error("data are missing: they end before their part of the picture does")]
    Ends,
    #[error("there are more data than the picture needs")]
    TooMuch,
    #[error("bits that are no code of its Huffman table")]
    Code,
    #[error("a coefficient beyond the end of its block")]
    Run,
    #[error("a coefficient that is larger than any picture has")]
    Range,
    #[error("a restart marker is missing or comes out of order")]
    Restart,
    #[error("a wrong Huffman table")]
    HuffmanTable,
    #[error("a wrong or missing quantisation table")]
    QuantisationTable,
    #[error("a wrong frame header")]
    FrameHeader,
    #[error("a wrong scan header")]
    ScanHeader,
    #[error("a wrong segment")]
    Segment,
    #[error("its scans don't make a whole picture")]
    Scans,
}

impl From<Damage> for DecodeError {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::CutShort => Self::Truncated { format: FORMAT },
            other => Self::Malformed { format: FORMAT, reason: other.to_string() },
        }
    }
}

/// A valid file of a kind that is not read.
pub(super) fn unsupported(reason: impl Into<String>) -> DecodeError {
    DecodeError::Unsupported { format: FORMAT, reason: reason.into() }
}
