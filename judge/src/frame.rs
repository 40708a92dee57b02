//! An image in memory, upright, without alpha.

use sha2::{Digest, Sha256};
use shared_format::Size;

/// Pixel values, row by row from the top left; colour values are interleaved red, green, blue.
#[derive(Clone, PartialEq, Eq)]
pub enum Pixels {
    /// One 8-bit value per pixel.
    Grey8(Vec<u8>),
    /// Three 8-bit values per pixel.
    Rgb8(Vec<u8>),
    /// One 16-bit value per pixel.
    Grey16(Vec<u16>),
    /// Three 16-bit values per pixel.
    Rgb16(Vec<u16>),
}

impl Pixels {
    /// Returns the number of values in the buffer: pixels × channels.
    fn values(&self) -> usize {
        match self {
            Self::Grey8(v) | Self::Rgb8(v) => v.len(),
            Self::Grey16(v) | Self::Rgb16(v) => v.len(),
        }
    }

    const fn channels(&self) -> usize {
        match self {
            Self::Grey8(_) | Self::Grey16(_) => 1,
            Self::Rgb8(_) | Self::Rgb16(_) => 3,
        }
    }
}

impl Pixels {
    /// Returns the values' bytes as they are in memory.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Grey8(values) | Self::Rgb8(values) => values,
            Self::Grey16(values) | Self::Rgb16(values) => bytemuck::cast_slice(values),
        }
    }
}

impl std::fmt::Debug for Pixels {
    /// Formats kind and count only: a frame has millions of values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Grey8(_) => "Grey8",
            Self::Rgb8(_) => "Rgb8",
            Self::Grey16(_) => "Grey16",
            Self::Rgb16(_) => "Rgb16",
        };
        write!(f, "{kind}({} values)", self.values())
    }
}

/// An upright image with at least one pixel; the number of values matches its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    size: Size,
    pixels: Pixels,
}

/// Why values don't make a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Width or height is zero.
    #[error("a frame of {width}×{height} pixels has nothing to judge; give an image with at least one pixel")]
    Empty {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The number of values doesn't match the size.
    #[error(
        "the frame has {found} values, but its size needs {expected}; pass width × height × channels values"
    )]
    Values {
        /// Width × height × channels.
        expected: u64,
        /// Values given.
        found: usize,
    },
}

impl Frame {
    /// Creates a frame of `size` with these values.
    ///
    /// # Errors
    /// [`FrameError`] if the size is empty or doesn't match the number of values.
    pub fn new(size: Size, pixels: Pixels) -> Result<Self, FrameError> {
        let Size { width, height } = size;
        if width == 0 || height == 0 {
            return Err(FrameError::Empty { width, height });
        }
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(pixels.channels() as u64);
        let found = pixels.values();
        if expected != found as u64 {
            return Err(FrameError::Values { expected, found });
        }
        Ok(Self { size, pixels })
    }

    /// Returns the width and height in pixels.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Returns the pixel values.
    #[must_use]
    pub const fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Returns whether the frame has one channel. A colour frame with equal channels doesn't count as grey.
    #[must_use]
    pub const fn is_grey(&self) -> bool {
        self.pixels.channels() == 1
    }

    /// Identifies the picture by the SHA-256 of its size and pixels, whatever file it came from. Grey pixels hash like the
    /// same grey in RGB, and 16-bit values like 8-bit ones if they carry no more information.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.size.width.to_le_bytes());
        hash.update(self.size.height.to_le_bytes());
        match &self.pixels {
            Pixels::Rgb8(values) => hash.update(values),
            Pixels::Grey8(values) => update(&mut hash, values.iter().map(|&v| [v; 3])),
            Pixels::Grey16(values) if values.iter().all(is_shallow) => {
                update(&mut hash, values.iter().map(|&v| [(v >> 8) as u8; 3]));
            }
            Pixels::Rgb16(values) if values.iter().all(is_shallow) => {
                update(&mut hash, values.iter().map(|&v| [(v >> 8) as u8]));
            }
            Pixels::Grey16(values) => update(
                &mut hash,
                values.iter().map(|&v| {
                    let [low, high] = v.to_le_bytes();
                    [low, high, low, high, low, high]
                }),
            ),
            Pixels::Rgb16(values) => update(&mut hash, values.iter().map(|&v| v.to_le_bytes())),
        }
        hash.finalize().into()
    }
}

/// Returns whether a 16-bit value is a widened 8-bit one.
const fn is_shallow(value: &u16) -> bool {
    value.is_multiple_of(257)
}

/// Hashes short pieces in pages: a call per pixel would take longer than the hashing itself.
fn update<const N: usize>(hash: &mut Sha256, pieces: impl Iterator<Item = [u8; N]>) {
    const PAGE: usize = 6 << 10;
    let mut page = Vec::with_capacity(PAGE + N);
    for piece in pieces {
        page.extend_from_slice(&piece);
        if page.len() >= PAGE {
            hash.update(&page);
            page.clear();
        }
    }
    hash.update(&page);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_values_has_to_fit_the_size() {
        let size = Size { width: 2, height: 3 };
        assert!(Frame::new(size, Pixels::Grey8(vec![0; 6])).is_ok());
        assert!(Frame::new(size, Pixels::Rgb16(vec![0; 18])).is_ok());
        let wrong = Frame::new(size, Pixels::Rgb8(vec![0; 6]));
        assert_eq!(wrong, Err(FrameError::Values { expected: 18, found: 6 }));
        let huge = Size { width: u32::MAX, height: u32::MAX };
        assert!(matches!(Frame::new(huge, Pixels::Rgb8(vec![0; 3])), Err(FrameError::Values { .. })));
    }

    #[test]
    fn an_empty_frame_is_refused() {
        let size = Size { width: 0, height: 3 };
        assert_eq!(
            Frame::new(size, Pixels::Grey8(Vec::new())),
            Err(FrameError::Empty { width: 0, height: 3 })
        );
    }

    #[test]
    fn a_picture_is_the_same_in_every_container() {
        let size = Size { width: 2, height: 1 };
        let frame = |pixels| Frame::new(size, pixels).unwrap().sha256();
        let same = [
            Pixels::Grey8(vec![7, 200]),
            Pixels::Rgb8(vec![7, 7, 7, 200, 200, 200]),
            Pixels::Grey16(vec![7 * 257, 200 * 257]),
            Pixels::Rgb16([[7 * 257; 3], [200 * 257; 3]].concat()),
        ];
        let [first, others @ ..] = same.map(frame);
        assert_eq!(others, [first; 3]);
        let deep = [Pixels::Grey16(vec![7, 200]), Pixels::Rgb16([[7; 3], [200; 3]].concat())].map(frame);
        assert_eq!(deep[0], deep[1]);
        assert_ne!(deep[0], first);
        assert_ne!(frame(Pixels::Grey8(vec![7, 201])), first);
        let turned = Frame::new(Size { width: 1, height: 2 }, Pixels::Grey8(vec![7, 200])).unwrap();
        assert_ne!(turned.sha256(), first);
    }
}
