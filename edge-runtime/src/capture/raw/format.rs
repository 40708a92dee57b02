//! The raw formats that cameras send.

use shared_format::Size;

use crate::line_file::PixelFormat;

/// Layout of a camera's raw pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawFormat {
    /// 8-bit grey.
    Grey,
    /// Red, green and blue, 8 bits each.
    Rgb24,
    /// YUV 4:2:2, packed as Y U Y V, BT.601 in limited range.
    Yuyv,
    /// The same, packed as U Y V Y.
    Uyvy,
    /// YUV 4:2:0, BT.601 in limited range: all Y, then U and V in turn for each square of two by two pixels.
    Nv12,
    /// One 8-bit value per pixel behind a mosaic of colour filters.
    Bayer(BayerPattern),
}

/// Colours of a sensor's filters: the first two pixels of the first row, then those of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BayerPattern {
    /// Red, green; green, blue.
    Rggb,
    /// Blue, green; green, red.
    Bggr,
    /// Green, blue; red, green.
    Gbrg,
    /// Green, red; blue, green.
    Grbg,
}

impl RawFormat {
    /// Returns the format that a camera is set to, or `None` if it sends images that have to be decoded.
    #[must_use]
    pub const fn of(format: PixelFormat) -> Option<Self> {
        Some(match format {
            PixelFormat::Mjpeg => return None,
            PixelFormat::Grey => Self::Grey,
            PixelFormat::Rgb24 => Self::Rgb24,
            PixelFormat::Yuyv => Self::Yuyv,
            PixelFormat::Uyvy => Self::Uyvy,
            PixelFormat::Nv12 => Self::Nv12,
            PixelFormat::BayerRggb => Self::Bayer(BayerPattern::Rggb),
            PixelFormat::BayerBggr => Self::Bayer(BayerPattern::Bggr),
            PixelFormat::BayerGbrg => Self::Bayer(BayerPattern::Gbrg),
            PixelFormat::BayerGrbg => Self::Bayer(BayerPattern::Grbg),
        })
    }

    /// Returns the format that a camera is set to for this layout.
    #[must_use]
    pub const fn pixel_format(self) -> PixelFormat {
        match self {
            Self::Grey => PixelFormat::Grey,
            Self::Rgb24 => PixelFormat::Rgb24,
            Self::Yuyv => PixelFormat::Yuyv,
            Self::Uyvy => PixelFormat::Uyvy,
            Self::Nv12 => PixelFormat::Nv12,
            Self::Bayer(BayerPattern::Rggb) => PixelFormat::BayerRggb,
            Self::Bayer(BayerPattern::Bggr) => PixelFormat::BayerBggr,
            Self::Bayer(BayerPattern::Gbrg) => PixelFormat::BayerGbrg,
            Self::Bayer(BayerPattern::Grbg) => PixelFormat::BayerGrbg,
        }
    }

    /// Returns the name, for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grey => "GREY",
            Self::Rgb24 => "RGB24",
            Self::Yuyv => "YUYV",
            Self::Uyvy => "UYVY",
            Self::Nv12 => "NV12",
            Self::Bayer(_) => "Bayer",
        }
    }

    /// Returns the bytes of a row without padding. In a packed format, a last pixel without a partner takes a pair's bytes.
    #[must_use]
    pub fn row_bytes(self, width: u32) -> u64 {
        let width = u64::from(width);
        match self {
            Self::Grey | Self::Bayer(_) => width,
            Self::Rgb24 => 3 * width,
            Self::Yuyv | Self::Uyvy => 4 * width.div_ceil(2),
            Self::Nv12 => 2 * width.div_ceil(2),
        }
    }

    /// Returns the number of rows of bytes, all equally long: more than rows of pixels if colours have rows of their own.
    #[must_use]
    pub fn rows(self, height: u32) -> u64 {
        let height = u64::from(height);
        match self {
            Self::Nv12 => height + height.div_ceil(2),
            _ => height,
        }
    }

    /// Returns the bytes of a frame in rows without padding; zero if it has no pixels.
    #[must_use]
    pub fn bytes(self, size: Size) -> u64 {
        self.row_bytes(size.width).saturating_mul(self.rows(size.height))
    }
}
