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
        /// The system's error.
        source: std::io::Error,
    },
    /// A folder, pipe or device in place of an image file.
    #[error("{} is not a file; give an image file", path.display())]
    NotAFile {
        /// The path given.
        path: PathBuf,
    },
    /// Not an image format that this program reads.
    #[error("this is not an image in a supported format; give JPEG, PNG, BMP, TIFF, WebP or PNM")]
    UnknownFormat,
    /// A valid file of an unsupported kind.
    #[error("the {format} image cannot be read: {reason}; save it as 8- or 16-bit PNG, grey or RGB")]
    Unsupported {
        /// Name of the format.
        format: &'static str,
        /// What makes it unsupported.
        reason: String,
    },
    /// The file ends before the image does.
    #[error("the {format} image is cut short; copy or capture it again")]
    Truncated {
        /// Name of the format.
        format: &'static str,
    },
    /// The bytes violate the format.
    #[error("the {format} image is damaged ({reason}); copy or capture it again")]
    Malformed {
        /// Name of the format.
        format: &'static str,
        /// The decoder's message.
        reason: String,
    },
    /// The number of bytes of a camera's raw frame doesn't match its size.
    #[error(
        "the {format} frame has {found} bytes, but {} × {} pixels take {expected}; check the camera's cable, format \
         and size", size.width, size.height
    )]
    RawLength {
        /// Name of the format.
        format: &'static str,
        /// Pixels that the frame should have.
        size: Size,
        /// Bytes that these pixels take.
        expected: u64,
        /// Bytes received.
        found: usize,
    },
    /// Larger than the caller allows.
    #[error(
        "the image has {} × {} pixels, but bundle and camera allow at most {} × {}; check the camera's mode, or \
         give the right image", found.width, found.height, max.width, max.height
    )]
    LargerThanAllowed {
        /// Its size when upright.
        found: Size,
        /// The largest size allowed.
        max: Size,
    },
    /// More pixels than [`MAX_PIXELS`], or a file too large to hold fewer.
    #[error("the image is too large ({found}); give at most {} million pixels", MAX_PIXELS / 1_000_000)]
    TooLarge {
        /// Its size as text.
        found: String,
    },
}
