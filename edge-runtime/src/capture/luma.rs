//! Brightness of a frame, sampled sparsely: enough for presence, exposure and thumbnails, and cheap for any frame size.

use judge::{Frame, FrameArea, Pixels};
use shared_format::{Roi, Size};

/// A grid of cells, each sampled at `samples` × `samples` points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LumaGrid {
    /// Cells per row.
    pub columns: u32,
    /// Rows of cells.
    pub rows: u32,
    /// Points per row of a cell, and rows of points per cell.
    pub samples: u32,
}

impl LumaGrid {
    /// Computes the mean luma (0 to 255) of each cell, row by row; empty if region and frame don't overlap.
    #[must_use]
    pub fn lumas(self, frame: &Frame, region: Option<Roi>) -> Vec<f32> {
        let Some(region) = intersection(frame.size(), region) else { return Vec::new() };
        let per_cell = (self.samples * self.samples).max(1) as f32;
        let across = self.columns * self.samples;
        let xs: Vec<u32> = (0..across).map(|n| region.x + middle(n, across, region.width)).collect();
        let down = self.rows * self.samples;
        let mut lumas = Vec::with_capacity((self.columns * self.rows) as usize);
        for row in 0..self.rows {
            let mut sums = vec![0u32; self.columns as usize];
            for n in row * self.samples..(row + 1) * self.samples {
                let y = region.y + middle(n, down, region.height);
                for (sum, points) in sums.iter_mut().zip(xs.chunks(self.samples.max(1) as usize)) {
                    *sum += points.iter().map(|&x| luma(colour(frame, x, y))).sum::<u32>();
                }
            }
            lumas.extend(sums.iter().map(|&sum| sum as f32 / per_cell));
        }
        lumas
    }
}

/// Brightness of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Exposure {
    /// Mean luma, 0 to 255.
    pub mean: f32,
    /// Share of pixels with a saturated channel: anything brighter looks the same.
    pub saturated: f32,
}

/// A channel counts as saturated from this value on: sensors and JPEG rarely yield a clean 255.
const SATURATED: u8 = 250;
const POINTS: Size = Size { width: 64, height: 48 };

impl Exposure {
    /// Computes the exposure from 64 × 48 points of the frame.
    #[must_use]
    pub fn of(frame: &Frame) -> Self {
        let size = frame.size();
        let (mut sum, mut saturated) = (0, 0u32);
        for row in 0..POINTS.height {
            let y = middle(row, POINTS.height, size.height);
            for column in 0..POINTS.width {
                let colour = colour(frame, middle(column, POINTS.width, size.width), y);
                sum += luma(colour);
                saturated += u32::from(colour.iter().any(|&value| value >= SATURATED));
            }
        }
        let points = (POINTS.width * POINTS.height) as f32;
        Self { mean: sum as f32 / points, saturated: saturated as f32 / points }
    }
}

/// Computes the mean luma, 0 to 255, of 64 × 48 points of a region of the frame, or of the whole area if no region is given.
#[must_use]
pub(crate) fn mean_luma(area: FrameArea<'_>, region: Option<Roi>) -> f32 {
    let Size { width, height } = area.size();
    let all = Roi { x: 0, y: 0, width, height };
    let region = region.and_then(|region| area.locate(region)).unwrap_or(all);
    let mut sum = 0;
    for row in 0..POINTS.height {
        let y = region.y + middle(row, POINTS.height, region.height);
        let xs = (0..POINTS.width).map(|column| region.x + middle(column, POINTS.width, region.width));
        let colours = area.colours(y);
        sum += xs.map(|x| luma(colours.get(x as usize).copied().unwrap_or_default())).sum::<u32>();
    }
    sum as f32 / (POINTS.width * POINTS.height) as f32
}

/// Returns the part of the region within the frame, or the whole frame if there is no region.
fn intersection(size: Size, region: Option<Roi>) -> Option<Roi> {
    let whole = Roi { x: 0, y: 0, width: size.width, height: size.height };
    let region = region.unwrap_or(whole);
    let width = region.width.min(size.width.saturating_sub(region.x));
    let height = region.height.min(size.height.saturating_sub(region.y));
    (width > 0 && height > 0).then_some(Roi { width, height, ..region })
}

/// Returns the middle of the `n`th of `of` equal sections of `length` pixels.
fn middle(n: u32, of: u32, length: u32) -> u32 {
    let at = (2 * u64::from(n) + 1) * u64::from(length) / (2 * u64::from(of.max(1)));
    u32::try_from(at).unwrap_or(0)
}

/// Computes luma (0 to 255) with the weights of BT.601.
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u32 {
    (77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue)) >> 8
}

/// Returns the upper 8 bits of a pixel's channels; black outside the frame.
#[inline]
pub(crate) fn colour(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = y as usize * frame.size().width as usize + x as usize;
    let high = |value: u16| (value >> 8) as u8;
    let found = match frame.pixels() {
        Pixels::Grey8(v) => v.get(at).map(|&grey| [grey; 3]),
        Pixels::Grey16(v) => v.get(at).map(|&grey| [high(grey); 3]),
        Pixels::Rgb8(v) => v.get(3 * at..).and_then(|rest| rest.first_chunk().copied()),
        Pixels::Rgb16(v) => v.get(3 * at..).and_then(|rest| rest.first_chunk::<3>()).map(|c| c.map(high)),
    };
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves() -> Frame {
        let size = Size { width: 40, height: 20 };
        let pixels = (0..800).map(|n| if n % 40 < 20 { 10 } else { 255 }).collect();
        Frame::new(size, Pixels::Grey8(pixels)).unwrap()
    }

    #[test]
    fn cells_have_the_mean_of_their_own_pixels() {
        let grid = LumaGrid { columns: 4, rows: 2, samples: 3 };
        assert_eq!(grid.lumas(&halves(), None), [10.0, 10.0, 255.0, 255.0, 10.0, 10.0, 255.0, 255.0]);
        let region = Some(Roi { x: 20, y: 5, width: 100, height: 5 });
        assert_eq!(grid.lumas(&halves(), region), [255.0; 8]);
        let outside = Some(Roi { x: 40, y: 0, width: 5, height: 5 });
        assert!(grid.lumas(&halves(), outside).is_empty());
    }

    #[test]
    fn a_regions_luma_is_its_own() {
        let frame = halves();
        let at = |x, width| mean_luma((&frame).into(), Some(Roi { x, y: 3, width, height: 5 }));
        assert_eq!([at(0, 20), at(20, 20), at(10, 20)], [10.0, 255.0, 132.5]);
        assert_eq!(mean_luma((&frame).into(), None), 132.5);
        // A region that isn't there.
        assert_eq!(at(30, 20), 132.5);
    }

    #[test]
    fn exposure_tells_light_and_saturated_pixels() {
        assert_eq!(Exposure::of(&halves()), Exposure { mean: 132.5, saturated: 0.5 });
        let size = Size { width: 1, height: 1 };
        let red = Frame::new(size, Pixels::Rgb16(vec![65_535, 0, 0])).unwrap();
        assert_eq!(Exposure::of(&red), Exposure { mean: 76.0, saturated: 1.0 });
    }
}
