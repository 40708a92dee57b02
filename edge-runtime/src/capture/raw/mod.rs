//! Converts raw camera pixels to frames.
//!
//! | file | contents |
//! |---|---|
//! | `format` | the raw formats and how many bytes they take |
//! | `yuv` | YUYV, UYVY and NV12 to RGB |
//! | `bayer` | a sensor's colour mosaic to RGB |

mod bayer;
mod format;
mod yuv;

use judge::{DecodeError, Frame, Pixels};
use shared_format::Size;

pub use format::{BayerPattern, RawFormat};

/// Converts a camera's raw pixels, in rows without padding, to a frame.
///
/// # Errors
/// [`DecodeError::RawLength`] unless there are exactly as many bytes as pixels of this format take;
/// [`DecodeError::Malformed`] for a size that the format can't have.
pub(super) fn decode(format: RawFormat, size: Size, bytes: &[u8]) -> Result<Frame, DecodeError> {
    let name = format.name();
    let malformed = |reason: String| DecodeError::Malformed { format: name, reason };
    let (expected, found) = (format.bytes(size), bytes.len());
    if expected == 0 || expected != found as u64 {
        return Err(DecodeError::RawLength { format: name, size, expected, found });
    }
    let pixels = match format {
        RawFormat::Grey => Pixels::Grey8(bytes.to_vec()),
        RawFormat::Rgb24 => Pixels::Rgb8(bytes.to_vec()),
        RawFormat::Yuyv => Pixels::Rgb8(yuv::packed(size, bytes, |[y0, u, y1, v]| [y0, y1, u, v])),
        RawFormat::Uyvy => Pixels::Rgb8(yuv::packed(size, bytes, |[u, y0, v, y1]| [y0, y1, u, v])),
        RawFormat::Nv12 if size.width % 2 == 1 || size.height % 2 == 1 => {
            return Err(malformed("width and height must be even".to_owned()));
        }
        RawFormat::Nv12 => Pixels::Rgb8(yuv::nv12(size, bytes)),
        RawFormat::Bayer(pattern) => Pixels::Rgb8(bayer::demosaic(pattern, size, bytes).map_err(malformed)?),
    };
    Frame::new(size, pixels).map_err(|e| malformed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [RawFormat; 9] = [
        RawFormat::Grey,
        RawFormat::Rgb24,
        RawFormat::Yuyv,
        RawFormat::Uyvy,
        RawFormat::Nv12,
        RawFormat::Bayer(BayerPattern::Rggb),
        RawFormat::Bayer(BayerPattern::Bggr),
        RawFormat::Bayer(BayerPattern::Gbrg),
        RawFormat::Bayer(BayerPattern::Grbg),
    ];

    #[test]
    fn exactly_the_right_number_of_bytes_is_a_frame() {
        let size = Size { width: 6, height: 4 };
        for format in ALL {
            let right = usize::try_from(format.bytes(size)).unwrap();
            assert_eq!(decode(format, size, &vec![90; right]).unwrap().size(), size, "{format:?}");
            for wrong in [0, 1, right - 1, right + 1, 2 * right] {
                let error = decode(format, size, &vec![90; wrong]).unwrap_err();
                assert!(
                    matches!(error, DecodeError::RawLength { expected, found, .. }
                        if expected == right as u64 && found == wrong),
                    "{format:?} {wrong}: {error}"
                );
            }
        }
        let error = decode(RawFormat::Grey, Size { width: 4, height: 2 }, &[0; 7]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the GREY frame has 7 bytes, but 4 × 2 pixels take 8; check the camera's cable, format and size"
        );
    }

    #[test]
    fn absurd_sizes_are_refused() {
        for format in ALL {
            for (width, height) in [(u32::MAX, u32::MAX), (0, 5), (5, 0)] {
                assert!(decode(format, Size { width, height }, &[]).is_err(), "{format:?}");
            }
        }
        for (width, height) in [(3, 2), (2, 3)] {
            let size = Size { width, height };
            let bytes = vec![0; usize::try_from(RawFormat::Nv12.bytes(size)).unwrap()];
            let error = decode(RawFormat::Nv12, size, &bytes).unwrap_err();
            assert!(error.to_string().contains("even"), "{error}");
        }
    }

    #[test]
    fn rgb24_is_red_green_blue() {
        let frame = decode(RawFormat::Rgb24, Size { width: 2, height: 1 }, &[1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(frame.pixels(), &Pixels::Rgb8(vec![1, 2, 3, 4, 5, 6]));
    }
}
