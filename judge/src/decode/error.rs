//! Why bytes are not a frame.

use std::path::PathBuf;

use shared_format::Size;

use super::MAX_PIXELS;

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file can't be read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder, pipe or device where an image file is due.
    #[error("{} is not a file; give an image file", path.display())]
    NotAFile {
        /// The path given.
        path: PathBuf,
    },
    /// No image format that this program reads.
    #[error("this is not an image that can be read; give JPEG, PNG, BMP, TIFF, WebP or PNM")]
    UnknownFormat,
    /// A valid file of a kind that is not read.
    #[error("the {format} image cannot be read: {reason}; save it as 8- or 16-bit PNG, grey or RGB")]
    Unsupported {
        /// Name of the format.
        format: &'static str,
        /// What is special about it.
        reason: String,
    },
    /// The file ends before the image does.
    #[error("the {format} image is cut short; copy or capture it again")]
    Truncated {
        /// Name of the format.
        format: &'static str,
    },
    /// Bytes that the format doesn't allow.
    #[error("the {format} image is damaged ({reason}); copy or capture it again")]
    Malformed {
        /// Name of the format.
        format: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// Raw pixels of a camera whose number doesn't fit their size.
    #[error(
        "the {format} frame has {found} bytes where {} × {} pixels take {expected}; check the camera's cable, format \
         and size", size.width, size.height
    )]
    RawLength {
        /// Name of the format.
        format: &'static str,
        /// Pixels that the frame should have.
        size: Size,
        /// Bytes that they take.
        expected: u64,
        /// Bytes that came.
        found: usize,
    },
    /// Larger than whoever asked for it can use.
    #[error(
        "the image has {} × {} pixels where {} × {} are the most that bundle and camera allow; check the camera's mode, or \
         give the image that was meant", found.width, found.height, most.width, most.height
    )]
    LargerThanAllowed {
        /// Its size, upright.
        found: Size,
        /// The largest size that is allowed.
        most: Size,
    },
    /// More pixels than [`MAX_PIXELS`], or a file too large to hold fewer.
    #[error("the image is too large ({found}); give at most {} million pixels", MAX_PIXELS / 1_000_000)]
    TooLarge {
        /// Its size in words.
        found: String,
    },
}
