//! The kinds of damage in a JPEG file.

use super::super::DecodeError;

/// Name of the format in messages.
pub(super) const FORMAT: &str = "JPEG";

/// What is wrong with a JPEG file, in a compact form, because any frame of a camera may be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("cut short")]
    CutShort,
    #[error("data is missing: it ends before its part of the picture does")]
    Ends,
    #[error("there is more data than the picture needs")]
    TooMuch,
    #[error("bits that are not a code of its Huffman table")]
    Code,
    #[error("a coefficient beyond the end of its block")]
    Run,
    #[error("a coefficient larger than any picture has")]
    Range,
    #[error("a restart marker is missing or comes out of order")]
    Restart,
    #[error("an invalid Huffman table")]
    HuffmanTable,
    #[error("an invalid or missing quantisation table")]
    QuantisationTable,
    #[error("an invalid frame header")]
    FrameHeader,
    #[error("an invalid scan header")]
    ScanHeader,
    #[error("an invalid segment")]
    Segment,
    #[error("its scans do not make up a whole picture")]
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

/// Returns the error for a valid file of an unsupported kind.
pub(super) fn unsupported(reason: impl Into<String>) -> DecodeError {
    DecodeError::Unsupported { format: FORMAT, reason: reason.into() }
}
