//! Bytes → [`Frame`]. The format is detected from the content, never from the name; the frame comes out upright.

mod error;
mod exif;
mod jpeg;
mod tiff;

pub use error::DecodeError;
pub use jpeg::trim_jpeg;
pub(crate) use jpeg::{DecodedJpeg, JpegDecoder, UpsamplingBuffers};

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};
use shared_format::{Roi, Size};

use crate::frame::{Frame, FrameError, Pixels};
use crate::frame_area::{FrameRows as _, RowBuffers};
use crate::guard::guarded;
use crate::regular_file::{ReadError, read_regular_file};

/// Images with more pixels are refused before memory is allocated for them.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Maximum number of bytes that decoding may allocate for pixels: 16-bit colour with alpha at [`MAX_PIXELS`].
const MAX_PIXEL_BYTES: u64 = MAX_PIXELS * 8;
/// What a decoder may allocate beyond twice the pixels: its tables, rows and metadata.
const DECODER_BYTES: u64 = 16 << 20;
/// Larger files are refused without being read. An uncompressed image of [`MAX_PIXELS`] fits.
const MAX_FILE_BYTES: u64 = MAX_PIXEL_BYTES + (1 << 20);

/// File extensions that a folder scan takes for images, in lower case. Only a scan looks at names.
pub const IMAGE_EXTENSIONS: &[&str] =
    &["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp", "pgm", "ppm", "pnm"];

/// Returns whether a folder scan takes the file for an image: by its extension, in upper or lower case.
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

/// Like [`decode_file`], but refuses a frame larger than `max`; see [`decode_within`].
///
/// # Errors
/// [`DecodeError`].
pub fn decode_file_within(path: &Path, max: Size) -> Result<Frame, DecodeError> {
    decode_within(&read_file(path)?, max)
}

/// Reads an image file's bytes, unless it is not a file or is larger than any image.
///
/// # Errors
/// [`DecodeError`]: unreadable, not a file, too large.
pub fn read_file(path: &Path) -> Result<Vec<u8>, DecodeError> {
    read_regular_file(path, MAX_FILE_BYTES).map_err(|e| match e {
        ReadError::Io(source) => DecodeError::Io { path: path.to_owned(), source },
        ReadError::NotAFile => DecodeError::NotAFile { path: path.to_owned() },
        ReadError::TooLarge { bytes, .. } => {
            DecodeError::TooLarge { found: format!("a file of {bytes} bytes") }
        }
    })
}

/// Decodes JPEG, PNG, BMP, TIFF, WebP or PNM, detected from the content. 16-bit images keep their 16 bits, grey images stay
/// grey, alpha is dropped, palettes are resolved and the EXIF orientation is applied.
///
/// # Errors
/// [`DecodeError`]: not an image, cut short, damaged, too large, or of an unsupported kind.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    decode_within(bytes, Size { width: u32::MAX, height: u32::MAX })
}

/// Like [`decode`], but refuses an upright frame that is wider or higher than `max`. The size is checked from the file's
/// header, before memory is allocated for pixels: a kilobyte can claim a hundred million of them.
///
/// # Errors
/// [`DecodeError`]; [`DecodeError::LargerThanAllowed`] for a larger frame.
pub fn decode_within(bytes: &[u8], max: Size) -> Result<Frame, DecodeError> {
    let (image, format) = decode_oriented(bytes, max)?;
    frame_of(image, format)
}

/// Like [`decode`], but also returns the alpha channel, one value per pixel, row by row; `None` if the image has none.
/// Defect masks are drawn in it.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_with_alpha(bytes: &[u8]) -> Result<(Frame, Option<Vec<u16>>), DecodeError> {
    let (image, format) = decode_oriented(bytes, Size { width: u32::MAX, height: u32::MAX })?;
    let alpha = match &image {
        DynamicImage::ImageLumaA8(i) => Some(i.pixels().map(|pixel| pixel.0[1].into()).collect()),
        DynamicImage::ImageRgba8(i) => Some(i.pixels().map(|pixel| pixel.0[3].into()).collect()),
        DynamicImage::ImageLumaA16(i) => Some(i.pixels().map(|pixel| pixel.0[1]).collect()),
        DynamicImage::ImageRgba16(i) => Some(i.pixels().map(|pixel| pixel.0[3]).collect()),
        _ => None,
    };
    Ok((frame_of(image, format)?, alpha))
}

/// Returns the decoded image, turned upright according to its metadata, and the name of its format.
fn decode_oriented(bytes: &[u8], max: Size) -> Result<(DynamicImage, &'static str), DecodeError> {
    let format = guess_format(bytes)?;
    let name = format_name(format);
    // Damaged files are everyday input here, and decoders index by what the file claims.
    let decoded = guarded(|| match format {
        ImageFormat::Jpeg => decode_jpeg(bytes, max),
        _ => decode_other(bytes, format, name, max),
    });
    let (mut image, orientation) = decoded
        .unwrap_or_else(|panic| Err(DecodeError::Malformed { format: name, reason: panic.to_string() }))?;
    image.apply_orientation(orientation);
    Ok((image, name))
}

fn decode_jpeg(bytes: &[u8], max: Size) -> Result<(DynamicImage, Orientation), DecodeError> {
    let admit = |size: Size, orientation| {
        check_size(size, orientation, max)?;
        Ok(Roi { x: 0, y: 0, width: size.width, height: size.height })
    };
    let mut decoder = JpegDecoder::default();
    let decoded = decoder.decode(bytes, &admit)?;
    Ok((jpeg_image(&decoded)?, decoded.orientation))
}

/// Makes an image of a decoded JPEG, not turned yet.
fn jpeg_image(decoded: &DecodedJpeg<'_>) -> Result<DynamicImage, DecodeError> {
    let Size { width, height } = decoded.size();
    let row_bytes = width as usize * decoded.channels();
    let mut pixels = vec![0; row_bytes * height as usize];
    let mut buffers = RowBuffers::default();
    for (y, out) in pixels.chunks_exact_mut(row_bytes.max(1)).enumerate() {
        decoded.write_row(y, 0..width as usize, &mut buffers, out);
    }
    let image = if decoded.channels() == 1 {
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    };
    image.ok_or(DecodeError::Truncated { format: "JPEG" })
}

/// Makes an upright frame of a decoded JPEG.
pub(crate) fn upright_jpeg(decoded: &DecodedJpeg<'_>) -> Result<Frame, DecodeError> {
    let mut image = jpeg_image(decoded)?;
    image.apply_orientation(decoded.orientation);
    frame_of(image, format_name(ImageFormat::Jpeg))
}

pub(crate) fn guess_format(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
    // BigTIFF: the decoder reads it, but its library recognises a TIFF by the number 42 only.
    if bytes.starts_with(b"II\x2b\0") || bytes.starts_with(b"MM\0\x2b") {
        return Ok(ImageFormat::Tiff);
    }
    image::guess_format(bytes).map_err(|_| DecodeError::UnknownFormat)
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

/// Checks whether an image of this size, before it is turned upright, may be decoded.
pub(crate) fn check_size(size: Size, orientation: Orientation, max: Size) -> Result<(), DecodeError> {
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
    if found.width > max.width || found.height > max.height {
        return Err(DecodeError::LargerThanAllowed { found, max });
    }
    Ok(())
}

fn decode_other(
    bytes: &[u8],
    format: ImageFormat,
    name: &'static str,
    max: Size,
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
    let exif = decoder.exif_metadata().unwrap_or_default();
    let orientation = exif
        .and_then(|exif| exif::orientation(&exif))
        .or_else(|| decoder.orientation().ok())
        .unwrap_or(Orientation::NoTransforms);
    check_size(Size { width, height }, orientation, max)?;
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
        DynamicImage::ImageLumaA8(i) => Pixels::Grey8(grey_of(i.as_raw())),
        DynamicImage::ImageRgb8(i) => Pixels::Rgb8(i.into_raw()),
        DynamicImage::ImageRgba8(i) => Pixels::Rgb8(colour_of(i.as_raw())),
        DynamicImage::ImageLuma16(i) => Pixels::Grey16(i.into_raw()),
        DynamicImage::ImageLumaA16(i) => Pixels::Grey16(grey_of(i.as_raw())),
        DynamicImage::ImageRgb16(i) => Pixels::Rgb16(i.into_raw()),
        DynamicImage::ImageRgba16(i) => Pixels::Rgb16(colour_of(i.as_raw())),
        _ => {
            let reason = "its values are floating-point numbers of unknown range".to_owned();
            return Err(DecodeError::Unsupported { format, reason });
        }
    };
    Frame::new(size, pixels).map_err(|e: FrameError| DecodeError::Malformed { format, reason: e.to_string() })
}

/// Drops the alpha channel, which is every second value.
fn grey_of<T: Copy>(values: &[T]) -> Vec<T> {
    values.as_chunks().0.iter().map(|&[grey, _]| grey).collect()
}

/// Drops the alpha channel, which is every fourth value.
fn colour_of<T: Copy>(values: &[T]) -> Vec<T> {
    values.as_chunks().0.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect()
}
