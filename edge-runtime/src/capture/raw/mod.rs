//! Converts raw camera pixels to frames.
//!
//! | file | contents |
//! |---|---|
//! | `format` | the raw formats and how many bytes they take |
//! | `rows` | rows of a frame, converted when they are needed |
//! | `yuv` | YUYV, UYVY and NV12 to RGB |
//! | `bayer` | a sensor's colour mosaic to RGB |

mod bayer;
mod format;
mod rows;
mod yuv;

use judge::{DecodeError, Frame, FrameArea, FrameRows, Pixels};
use shared_format::Size;

pub use format::{BayerPattern, RawFormat};
pub(crate) use rows::RawRows;

/// Converts a camera's raw pixels, in rows without padding, to a frame.
///
/// # Errors
/// [`DecodeError::RawLength`] unless there are exactly as many bytes as pixels of this format take;
/// [`DecodeError::Malformed`] for a size that the format can't have.
pub(super) fn decode(format: RawFormat, size: Size, bytes: &[u8]) -> Result<Frame, DecodeError> {
    let malformed = |reason: String| DecodeError::Malformed { format: format.name(), reason };
    if let Some(rows) = RawRows::of(format, size, bytes)? {
        let frame = FrameArea::from(&rows as &dyn FrameRows).to_frame();
        return frame.map_err(|e| malformed(e.to_string()));
    }
    let RawFormat::Bayer(pattern) = format else { return Err(malformed("it has no rows".to_owned())) };
    let pixels = Pixels::Rgb8(bayer::demosaic(pattern, size, bytes).map_err(malformed)?);
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
