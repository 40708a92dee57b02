//! Bytes → [`Frame`]. The format is told by the content, never by the name; the frame comes out upright.

mod jpeg;
mod tiff;

pub use jpeg::cut_jpeg;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use shared_format::Size;

use crate::frame::{Frame, FrameError, Pixels};
use crate::guard::guarded;

/// Images with more pixels are refused before memory is allocated for them.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Most bytes that decoding may allocate for pixels: 16-bit colour with alpha at [`MAX_PIXELS`].
const MAX_PIXEL_BYTES: u64 = MAX_PIXELS * 8;
/// What a decoder may allocate beside twice the pixels: its tables, rows and metadata.
const DECODER_BYTES: u64 = 16 << 20;
/// Larger files are refused unread. An uncompressed image of [`MAX_PIXELS`] fits.
const MAX_FILE_BYTES: u64 = MAX_PIXEL_BYTES + (1 << 20);

/// Names that a folder scan takes for images, lower case. Only a scan looks at names.
pub const IMAGE_EXTENSIONS: &[&str] =
    &["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp", "pgm", "ppm", "pnm"];

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

/// Whether a folder scan takes the file for an image: by its extension, upper or lower case.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    extension.is_some_and(|e| IMAGE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Reads and decodes an image file.
///
/// # Errors
/// [`DecodeError`]: unreadable, not an image, cut short, damaged, too large.
pub fn decode_file(path: &Path) -> Result<Frame, DecodeError> {
    decode(&read_file(path)?)
}

/// [`decode_file`], unless the frame is larger than `most`; see [`decode_within`].
///
/// # Errors
/// [`DecodeError`].
pub fn decode_file_within(path: &Path, most: Size) -> Result<Frame, DecodeError> {
    decode_within(&read_file(path)?, most)
}

/// Reads an image file's bytes, unless it is no file or larger than any image.
///
/// # Errors
/// [`DecodeError`]: unreadable, not a file, too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, DecodeError> {
    let io = |source| DecodeError::Io { path: path.to_owned(), source };
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(DecodeError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(DecodeError::TooLarge { found: format!("a file of {} bytes", metadata.len()) });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    File::open(path).map_err(io)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Decodes JPEG, PNG, BMP, TIFF, WebP or PNM, told by the content. 16-bit images keep their 16 bits, grey images stay
/// grey, alpha is dropped, palettes are resolved and the EXIF orientation is applied.
///
/// # Errors
/// [`DecodeError`]: not an image, cut short, damaged, too large, or of a kind that is not read.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    decode_within(bytes, Size { width: u32::MAX, height: u32::MAX })
}

/// [`decode`], unless the upright frame is wider or higher than `most`: that is told by the file's header, before memory is
/// taken for pixels. A kilobyte can claim a hundred million of them.
///
/// # Errors
/// [`DecodeError`]; [`DecodeError::LargerThanAllowed`] for a larger frame.
pub fn decode_within(bytes: &[u8], most: Size) -> Result<Frame, DecodeError> {
    let format = image::guess_format(bytes).map_err(|_| DecodeError::UnknownFormat)?;
    let name = format_name(format);
    // Damaged files are everyday input here and decoders index into what the file claims.
    let decoded = guarded(|| match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, &|size, orientation| check_size(size, orientation, most)),
        _ => decode_other(bytes, format, name, most),
    });
    let (mut image, orientation) = decoded
        .unwrap_or_else(|panic| Err(DecodeError::Malformed { format: name, reason: panic.to_string() }))?;
    image.apply_orientation(orientation);
    frame_of(image, name)
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Gif => "GIF",
        ImageFormat::Avif => "AVIF",
        _ => "given",
    }
}

/// Whether an image of this size, before it is turned upright, may be decoded.
fn check_size(size: Size, orientation: Orientation, most: Size) -> Result<(), DecodeError> {
    let Size { width, height } = size;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooLarge { found: format!("{width}×{height} pixels") });
    }
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let found = if is_turned { Size { width: height, height: width } } else { size };
    if found.width > most.width || found.height > most.height {
        return Err(DecodeError::LargerThanAllowed { found, most });
    }
    Ok(())
}

fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    most: Size,
) -> Result<(DynamicImage, Orientation), DecodeError> {
    let explain = |error| explain(error, name);
    if format == ImageFormat::Tiff && !tiff::values_fit(bytes) {
        return Err(DecodeError::Truncated { format: name });
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PIXEL_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    check_size(Size { width, height }, orientation, most)?;
    let needed = decoder.total_bytes().saturating_mul(2).saturating_add(DECODER_BYTES);
    limits.max_alloc = Some(needed.min(MAX_PIXEL_BYTES));
    limits.reserve(decoder.total_bytes()).map_err(explain)?;
    decoder.set_limits(limits).map_err(explain)?;
    Ok((DynamicImage::from_decoder(decoder).map_err(explain)?, orientation))
}

fn explain(error: ImageError, format: &'static str) -> DecodeError {
    match error {
        ImageError::Unsupported(e) => DecodeError::Unsupported { format, reason: e.to_string() },
        ImageError::Limits(e) => DecodeError::TooLarge { found: e.to_string() },
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format }
        }
        e => DecodeError::Malformed { format, reason: e.to_string() },
    }
}

fn frame_of(image: DynamicImage, format: &'static str) -> Result<Frame, DecodeError> {
    let size = Size { width: image.width(), height: image.height() };
    let pixels = match image {
        DynamicImage::ImageLuma8(i) => Pixels::Grey8(i.into_raw()),
        DynamicImage::ImageLumaA8(i) => Pixels::Grey8(without_alpha(i.as_raw(), 2)),
        DynamicImage::ImageRgb8(i) => Pixels::Rgb8(i.into_raw()),
        DynamicImage::ImageRgba8(i) => Pixels::Rgb8(without_alpha(i.as_raw(), 4)),
        DynamicImage::ImageLuma16(i) => Pixels::Grey16(i.into_raw()),
        DynamicImage::ImageLumaA16(i) => Pixels::Grey16(without_alpha(i.as_raw(), 2)),
        DynamicImage::ImageRgb16(i) => Pixels::Rgb16(i.into_raw()),
        DynamicImage::ImageRgba16(i) => Pixels::Rgb16(without_alpha(i.as_raw(), 4)),
        _ => {
            let reason = "its values are floating-point numbers without a known range".to_owned();
            return Err(DecodeError::Unsupported { format, reason });
        }
    };
    Frame::new(size, pixels).map_err(|e: FrameError| DecodeError::Malformed { format, reason: e.to_string() })
}

/// Drops the last of every `channels` values.
fn without_alpha<T: Copy>(values: &[T], channels: usize) -> Vec<T> {
    values.chunks_exact(channels).flat_map(|pixel| &pixel[..channels - 1]).copied().collect()
}
