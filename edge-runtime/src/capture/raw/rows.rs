//! A camera's raw pixels as rows of RGB or grey, converted when they are needed.

use std::ops::Range;

use judge::{DecodeError, FrameRows, RowBuffers};
use shared_format::Size;

use super::{RawFormat, yuv};

/// Raw pixels whose rows can be converted one by one: all formats but mosaics of colour filters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRows<'b> {
    format: RawFormat,
    size: Size,
    bytes: &'b [u8],
}

impl<'b> RawRows<'b> {
    /// Returns the rows; `None` for a mosaic. `bytes` are rows without padding.
    ///
    /// # Errors
    /// [`DecodeError::RawLength`] unless there are exactly as many bytes as pixels of this format take;
    /// [`DecodeError::Malformed`] for a size that the format can't have.
    pub(crate) fn of(format: RawFormat, size: Size, bytes: &'b [u8]) -> Result<Option<Self>, DecodeError> {
        let (expected, found) = (format.bytes(size), bytes.len());
        if expected == 0 || expected != found as u64 {
            return Err(DecodeError::RawLength { format: format.name(), size, expected, found });
        }
        match format {
            RawFormat::Nv12 if size.width % 2 == 1 || size.height % 2 == 1 => {
                let reason = "width and height must be even".to_owned();
                Err(DecodeError::Malformed { format: format.name(), reason })
            }
            RawFormat::Bayer(_) => Ok(None),
            _ => Ok(Some(Self { format, size, bytes })),
        }
    }

    /// Returns a row of bytes.
    fn row(&self, y: usize, row_bytes: usize) -> &'b [u8] {
        self.bytes.get(y * row_bytes..(y + 1) * row_bytes).unwrap_or_default()
    }
}

impl FrameRows for RawRows<'_> {
    fn size(&self) -> Size {
        self.size
    }

    fn channels(&self) -> usize {
        if self.format == RawFormat::Grey { 1 } else { 3 }
    }

    fn write_row(&self, y: usize, xs: Range<usize>, _: &mut RowBuffers, out: &mut [u8]) {
        let width = self.size.width as usize;
        match self.format {
            RawFormat::Grey | RawFormat::Rgb24 | RawFormat::Bayer(_) => {
                let channels = self.channels();
                let row = self.row(y, width * channels);
                let row = row.get(xs.start * channels..xs.end * channels).unwrap_or_default();
                out.iter_mut().zip(row).for_each(|(out, value)| *out = *value);
            }
            RawFormat::Yuyv | RawFormat::Uyvy => {
                let row = self.row(y, width.div_ceil(2) * 4);
                if self.format == RawFormat::Yuyv {
                    yuv::write_rgb(xs, out, |pair| yuv::packed(row, pair, |[y0, u, y1, v]| [y0, y1, u, v]));
                } else {
                    yuv::write_rgb(xs, out, |pair| yuv::packed(row, pair, |[u, y0, v, y1]| [y0, y1, u, v]));
                }
            }
            RawFormat::Nv12 => {
                let colours = self.row(self.size.height as usize + y / 2, width);
                let lumas = self.row(y, width);
                yuv::write_rgb(xs, out, |pair| yuv::nv12(lumas, colours, pair));
            }
        }
    }
}
