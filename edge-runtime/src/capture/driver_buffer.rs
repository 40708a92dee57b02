//! Converts a filled camera buffer to captured data.

use judge::DecodeError;
use shared_format::Size;

use super::{FrameData, RawFormat};
use crate::line_file::PixelFormat;

/// How the camera lays out its pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct PixelLayout {
    /// Pixel format.
    pub(super) format: PixelFormat,
    /// Width and height in pixels.
    pub(super) size: Size,
    /// Bytes from one row to the next; zero if there are no fixed rows, as in a JPEG.
    pub(super) stride: u32,
}

/// Contents of a buffer that the driver filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct DriverBuffer<'b> {
    /// The bytes that the driver says it used.
    pub(super) bytes: &'b [u8],
    /// Whether the driver reports them as damaged.
    pub(super) is_damaged: bool,
}

impl DriverBuffer<'_> {
    /// Copies the data, to be decoded later: the buffer goes back to the driver.
    pub(super) fn data(self, PixelLayout { format, size, stride }: PixelLayout) -> FrameData {
        let raw = RawFormat::of(format);
        if self.is_damaged {
            let reason = "as reported by the camera's driver".to_owned();
            let format = raw.map_or("JPEG", RawFormat::name);
            return FrameData::Refused(DecodeError::Malformed { format, reason });
        }
        match raw {
            // Without an end marker it is kept whole: decoding refuses it as truncated.
            None => FrameData::Encoded(judge::trim_jpeg(self.bytes).unwrap_or(self.bytes).to_vec()),
            Some(format) => {
                let bytes =
                    rows(self.bytes, format.row_bytes(size.width), format.rows(size.height), stride.into());
                FrameData::Raw { format, size, bytes }
            }
        }
    }
}

/// Copies the rows without the padding between them and after the last; a short buffer yields fewer bytes.
fn rows(bytes: &[u8], row: u64, rows: u64, stride: u64) -> Vec<u8> {
    let [row, rows, stride] =
        [row, rows, stride.max(row)].map(|value| usize::try_from(value).unwrap_or(usize::MAX));
    if stride == row {
        let whole = row.saturating_mul(rows).min(bytes.len());
        return bytes.get(..whole).unwrap_or(bytes).to_vec();
    }
    let rows = bytes.chunks(stride).take(rows);
    rows.flat_map(|padded| padded.get(..row).unwrap_or(padded)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CapturedFrame;
    use crate::clock::Moment;

    const SIZE: Size = Size { width: 2, height: 2 };

    fn captured(format: PixelFormat, stride: u32, filled: DriverBuffer<'_>) -> CapturedFrame {
        let layout = PixelLayout { format, size: SIZE, stride };
        CapturedFrame::new(filled.data(layout), Moment(0), 0)
    }

    fn whole(bytes: &[u8]) -> DriverBuffer<'_> {
        DriverBuffer { bytes, is_damaged: false }
    }

    #[test]
    fn padding_between_and_after_rows_is_left_out() {
        let plain = captured(PixelFormat::Grey, 2, whole(&[1, 2, 3, 4, 9, 9]));
        let padded = captured(PixelFormat::Grey, 3, whole(&[1, 2, 9, 3, 4, 9, 9]));
        let last_short = captured(PixelFormat::Grey, 3, whole(&[1, 2, 9, 3, 4]));
        assert_eq!(plain.frame().unwrap(), padded.frame().unwrap());
        assert_eq!(plain.frame().unwrap(), last_short.frame().unwrap());
        let yuyv = [16, 128, 16, 128, 0, 235, 128, 235, 128, 0];
        assert!(captured(PixelFormat::Yuyv, 5, whole(&yuyv)).frame().is_ok());
        // NV12's rows of colours are padded like its rows of brightness.
        let plain = captured(PixelFormat::Nv12, 0, whole(&[50, 60, 70, 80, 90, 160]));
        let padded = captured(PixelFormat::Nv12, 4, whole(&[50, 60, 0, 0, 70, 80, 0, 0, 90, 160, 0, 0]));
        assert_eq!(plain.frame().unwrap(), padded.frame().unwrap());
        let cut = captured(PixelFormat::Nv12, 4, whole(&[50, 60, 0, 0, 70, 80, 0, 0, 90]));
        assert!(matches!(cut.frame(), Err(DecodeError::RawLength { expected: 6, found: 5, .. })));
    }

    #[test]
    fn a_short_or_damaged_buffer_is_refused() {
        let short = captured(PixelFormat::Grey, 2, whole(&[1, 2, 3]));
        assert!(matches!(short.frame(), Err(DecodeError::RawLength { expected: 4, found: 3, .. })));
        let short = captured(PixelFormat::Yuyv, 4, whole(&[1; 7]));
        assert!(matches!(short.frame(), Err(DecodeError::RawLength { expected: 8, found: 7, .. })));
        let damaged = DriverBuffer { bytes: &[1, 2, 3, 4], is_damaged: true };
        let damaged = captured(PixelFormat::Grey, 2, damaged);
        assert!(damaged.frame().unwrap_err().to_string().contains("driver"));
        assert!(captured(PixelFormat::Mjpeg, 0, whole(&[])).frame().is_err());
    }

    /// nokhwa reports neither the number of bytes used in a buffer nor the stride of its rows.
    #[test]
    fn buffers_of_unknown_use_are_read_as_far_as_they_make_sense() {
        let page = [&[90; 8][..], &[0; 4088]].concat();
        assert!(captured(PixelFormat::Yuyv, 0, whole(&page)).frame().is_ok());
        for cut in [0, 1, 7] {
            assert!(captured(PixelFormat::Yuyv, 0, whole(&page[..cut])).frame().is_err());
        }
        let mut jpeg = vec![];
        jpeg_encoder::Encoder::new(&mut jpeg, 80)
            .encode(&[90; 64 * 64], 64, 64, jpeg_encoder::ColorType::Luma)
            .unwrap();
        let mut page = vec![0; 8192];
        for cut in 0..jpeg.len() {
            page[..cut].copy_from_slice(&jpeg[..cut]);
            assert!(captured(PixelFormat::Mjpeg, 0, whole(&page)).frame().is_err(), "{cut}");
        }
        page[..jpeg.len()].copy_from_slice(&jpeg);
        assert!(captured(PixelFormat::Mjpeg, 0, whole(&page)).frame().is_ok());
    }

    #[test]
    fn a_jpeg_ends_at_its_marker_and_one_without_is_refused() {
        let mut jpeg = vec![];
        jpeg_encoder::Encoder::new(&mut jpeg, 80)
            .encode(&[90; 64 * 64], 64, 64, jpeg_encoder::ColorType::Luma)
            .unwrap();
        let padded = [&jpeg[..], &[0; 50]].concat();
        assert_eq!(captured(PixelFormat::Mjpeg, 0, whole(&padded)).jpeg(), Some(&jpeg[..]));
        let short = captured(PixelFormat::Mjpeg, 0, whole(&jpeg[..jpeg.len() - 3]));
        assert!(matches!(short.frame(), Err(DecodeError::Truncated { .. })));
    }
}
