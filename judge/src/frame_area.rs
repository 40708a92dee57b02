//! The area of a frame that is in memory, pixels or what they are computed from.

use std::ops::Range;

use shared_format::{Roi, Size};

use crate::decode::UpsamplingBuffers;
use crate::frame::{Frame, FrameError, Pixels};

/// Rows of 8-bit pixels that are computed when they are needed, such as those of a decoded JPEG, whose colours are still apart, or of a
/// camera's YUV: nobody has to store them as red, green and blue.
pub trait FrameRows {
    /// Returns the number of pixels across and down.
    fn size(&self) -> Size;

    /// Returns the number of values of a pixel: 1 for grey; 3 for red, green and blue.
    fn channels(&self) -> usize;

    /// Writes some pixels of a row, interleaved. `out` has room for as many; pixels outside the area leave it as it is.
    fn write_row(&self, y: usize, xs: Range<usize>, buffers: &mut RowBuffers, out: &mut [u8]);
}

/// Scratch space for [`FrameRows`].
#[derive(Debug, Default)]
pub struct RowBuffers {
    pub(crate) upsampling: [UpsamplingBuffers; 3],
}

/// A frame, or the area of it that is judged: nobody has to decode the rest.
#[derive(Clone, Copy)]
pub struct FrameArea<'f> {
    pub(crate) source: RowSource<'f>,
    frame: Size,
    /// The left and the upper edge in the frame.
    corner: [u32; 2],
}

/// Where an area's pixels come from.
#[derive(Clone, Copy)]
pub(crate) enum RowSource<'f> {
    Frame(&'f Frame),
    Rows(&'f dyn FrameRows),
}

impl<'f> From<&'f Frame> for FrameArea<'f> {
    /// The whole frame.
    fn from(frame: &'f Frame) -> Self {
        Self { source: RowSource::Frame(frame), frame: frame.size(), corner: [0, 0] }
    }
}

impl<'f> From<&'f dyn FrameRows> for FrameArea<'f> {
    /// The whole frame.
    fn from(rows: &'f dyn FrameRows) -> Self {
        Self { source: RowSource::Rows(rows), frame: rows.size(), corner: [0, 0] }
    }
}

impl<'f> FrameArea<'f> {
    /// Returns the area of a frame of size `frame` whose pixels, from `corner` on, are `rows`.
    pub(crate) const fn of_rows(rows: &'f dyn FrameRows, frame: Size, corner: [u32; 2]) -> Self {
        Self { source: RowSource::Rows(rows), frame, corner }
    }

    /// Returns the width and height of the whole frame in pixels.
    #[must_use]
    pub const fn frame_size(&self) -> Size {
        self.frame
    }

    /// Returns the width and height of the area in pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        match self.source {
            RowSource::Frame(frame) => frame.size(),
            RowSource::Rows(rows) => rows.size(),
        }
    }

    /// Returns where a region of the frame lies in the area; `None` unless all of it is there.
    #[must_use]
    pub fn locate(&self, region: Roi) -> Option<Roi> {
        let [left, top] = self.corner;
        let Size { width, height } = self.size();
        let (x, y) = (region.x.checked_sub(left)?, region.y.checked_sub(top)?);
        let fits = x.checked_add(region.width)? <= width && y.checked_add(region.height)? <= height;
        fits.then_some(Roi { x, y, ..region })
    }

    /// Returns the colours of a row of the area, the upper 8 bits of each channel; nothing outside the area.
    #[must_use]
    pub fn colours(&self, y: u32) -> Vec<[u8; 3]> {
        let width = self.size().width as usize;
        let xs = y as usize * width..(y as usize + 1) * width;
        let grey = |value: u8| [value; 3];
        let high = |value: u16| (value >> 8) as u8;
        match self.source {
            RowSource::Rows(rows) => {
                let mut values = vec![0; width * rows.channels()];
                rows.write_row(y as usize, 0..width, &mut RowBuffers::default(), &mut values);
                if rows.channels() == 1 {
                    values.into_iter().map(grey).collect()
                } else {
                    values.as_chunks().0.to_vec()
                }
            }
            RowSource::Frame(frame) => match frame.pixels() {
                Pixels::Grey8(v) => v.get(xs).into_iter().flatten().copied().map(grey).collect(),
                Pixels::Grey16(v) => v.get(xs).into_iter().flatten().map(|&v| grey(high(v))).collect(),
                Pixels::Rgb8(v) => v.as_chunks().0.get(xs).unwrap_or_default().to_vec(),
                Pixels::Rgb16(v) => v
                    .as_chunks::<3>()
                    .0
                    .get(xs)
                    .into_iter()
                    .flatten()
                    .map(|colour| colour.map(high))
                    .collect(),
            },
        }
    }

    /// Returns the area's pixels as a frame of their own.
    ///
    /// # Errors
    /// [`FrameError`] if there are none.
    pub fn to_frame(&self) -> Result<Frame, FrameError> {
        let rows = match self.source {
            RowSource::Frame(frame) => return Ok(frame.clone()),
            RowSource::Rows(rows) => rows,
        };
        let size = rows.size();
        let (width, height) = (size.width as usize, size.height as usize);
        let mut values = vec![0; width * height * rows.channels()];
        let mut buffers = RowBuffers::default();
        for (y, row) in values.chunks_exact_mut((width * rows.channels()).max(1)).enumerate() {
            rows.write_row(y, 0..width, &mut buffers, row);
        }
        let pixels = if rows.channels() == 1 { Pixels::Grey8(values) } else { Pixels::Rgb8(values) };
        Frame::new(size, pixels)
    }
}

impl std::fmt::Debug for FrameArea<'_> {
    /// Omits the pixels.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Size { width, height } = self.size();
        let [x, y] = self.corner;
        write!(f, "{width}×{height} pixels at {x},{y} of {}×{}", self.frame.width, self.frame.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that are stored.
    struct StoredRows<'f> {
        size: Size,
        channels: usize,
        values: &'f [u8],
    }

    impl FrameRows for StoredRows<'_> {
        fn size(&self) -> Size {
            self.size
        }

        fn channels(&self) -> usize {
            self.channels
        }

        fn write_row(&self, y: usize, xs: Range<usize>, _: &mut RowBuffers, out: &mut [u8]) {
            let start = (y * self.size.width as usize + xs.start) * self.channels;
            let row = self.values.get(start..start + xs.len() * self.channels).unwrap_or_default();
            out.iter_mut().zip(row).for_each(|(out, value)| *out = *value);
        }
    }

    #[test]
    fn a_region_is_found_if_all_of_it_is_there() {
        let size = Size { width: 30, height: 20 };
        let rows = StoredRows { size, channels: 1, values: &[7; 600] };
        let area = FrameArea::of_rows(&rows, Size { width: 100, height: 80 }, [10, 40]);
        let at = |x, y, width, height| area.locate(Roi { x, y, width, height });
        assert_eq!(at(10, 40, 30, 20), Some(Roi { x: 0, y: 0, width: 30, height: 20 }));
        assert_eq!(at(15, 41, 5, 6), Some(Roi { x: 5, y: 1, width: 5, height: 6 }));
        for (x, y, width, height) in
            [(9, 40, 5, 5), (10, 39, 5, 5), (10, 40, 31, 5), (10, 40, 5, 21), (12, 40, u32::MAX, 5)]
        {
            assert_eq!(at(x, y, width, height), None, "{x} {y} {width} {height}");
        }
        assert_eq!(area.colours(3), [[7; 3]; 30]);
        let deep =
            Frame::new(Size { width: 2, height: 2 }, Pixels::Rgb16((0..12).map(|v| v << 12).collect()));
        assert_eq!(FrameArea::from(&deep.unwrap()).colours(1), [[96, 112, 128], [144, 160, 176]]);
        assert_eq!(area.to_frame().unwrap(), Frame::new(size, Pixels::Grey8(vec![7; 600])).unwrap());
    }
}
