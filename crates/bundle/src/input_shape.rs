//! Chooses a network input in the shape of the judged region.

use shared_format::recipe::{INPUT_SIDES, INPUT_STEP};
use shared_format::{FrameRange, Roi, Size, Tiles};

/// Default number of input pixels: that of 256×256.
pub const PIXELS: u32 = 65_536;
/// An input may exceed the requested pixels by this share if its shape then fits better.
pub(crate) const MORE: f64 = 0.06;
/// Weight of a wrong aspect ratio, which squashes the part, against a wrong number of pixels.
const ASPECT: f64 = 2.0;

/// Returns an input of about `pixels` pixels, its sides multiples of the networks' step, whose shape is closest to that of a
/// tile of the region of interest. If frames differ in size, the middle of their range counts.
///
/// A square input squashes a long part; the same number of pixels in the part's own shape reveals more defects in the same
/// time.
#[must_use]
pub fn input_shape(frames: FrameRange, roi: Option<Roi>, tiles: Tiles, pixels: u32) -> Size {
    let (width, height) = match roi {
        Some(roi) => (f64::from(roi.width), f64::from(roi.height)),
        None => (middle(frames.min.width, frames.max.width), middle(frames.min.height, frames.max.height)),
    };
    let aspect = width / height.max(f64::MIN_POSITIVE);
    let sides = || INPUT_SIDES.step_by(INPUT_STEP as usize);
    let all = sides().flat_map(|width| sides().map(move |height| Size { width, height }));
    let all = all.filter(|size| tiles.is_valid(*size));
    let cost = |size: &Size| {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let picture = tiles.picture(*size);
        let shape = f64::from(picture.width) / f64::from(picture.height.max(1)) / aspect;
        let area = width * height / f64::from(pixels);
        let too_many = if area > 1.0 + MORE { f64::from(u16::MAX) * area } else { 0.0 };
        ASPECT * shape.ln().abs() + area.ln().abs() + too_many
    };
    let best = all.min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.unwrap_or(Size { width: *INPUT_SIDES.start(), height: *INPUT_SIDES.start() })
}

/// Returns the geometric mean of two lengths.
pub(crate) fn middle(a: u32, b: u32) -> f64 {
    (f64::from(a.max(1)) * f64::from(b.max(1))).sqrt()
}

/// Returns the columns and rows of the finest grid of nearly square cells over a picture, with at most `max_cells` cells in total
/// and at most 255 along a side.
pub(crate) fn finest_grid(picture: Size, max_cells: usize) -> [u8; 2] {
    let grids = (1..).map(|pixels| [picture.width, picture.height].map(|side| (side / pixels).max(1)));
    let mut fitting = grids.filter(|&[columns, rows]| (columns * rows) as usize <= max_cells);
    let side = |side: u32| u8::try_from(side).ok();
    fitting.find_map(|[columns, rows]| Some([side(columns)?, side(rows)?])).unwrap_or([1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_as_many_cells_as_fit() {
        let of = |width, height| finest_grid(Size { width, height }, 4096);
        assert_eq!(of(256, 256), [64, 64]);
        assert_eq!(of(384, 160), [96, 40]);
        assert_eq!(of(1024, 64), [204, 12]);
        assert_eq!(of(16_384, 1024), [252, 15]);
    }

    fn of(width: u32, height: u32, pixels: u32) -> (u32, u32) {
        let size = Size { width, height };
        let input = input_shape(FrameRange { min: size, max: size }, None, Tiles::ONE, pixels);
        (input.width, input.height)
    }

    #[test]
    fn the_input_keeps_the_frames_shape() {
        assert_eq!(of(512, 512, PIXELS), (256, 256));
        assert_eq!(of(576, 768, PIXELS), (224, 288));
        assert_eq!(of(640, 283, PIXELS), (384, 160));
        assert_eq!(of(512, 512, 147_456), (384, 384));
        // Outside a network's range, the nearest possible size.
        assert_eq!(of(10_000, 100, PIXELS), (1024, 64));
        assert_eq!(of(1, 1, 1), (64, 64));
        assert_eq!(of(u32::MAX, u32::MAX, u32::MAX), (1024, 1024));
    }

    #[test]
    fn a_region_and_its_tiles_come_before_the_frame() {
        let size = Size { width: 1000, height: 1000 };
        let frames = FrameRange { min: size, max: size };
        let roi = Some(Roi { x: 0, y: 0, width: 800, height: 400 });
        let wide = input_shape(frames, roi, Tiles::ONE, PIXELS);
        assert!(wide.width >= 2 * wide.height - 32, "{wide:?}");
        let halves = input_shape(frames, roi, Tiles::side_by_side(2, 1), PIXELS);
        assert_eq!((halves.width, halves.height), (256, 256));
        // For frames of many sizes, the middle of their range.
        let small = Size { width: 100, height: 50 };
        let large = Size { width: 400, height: 200 };
        let mixed = input_shape(FrameRange { min: small, max: large }, None, Tiles::ONE, PIXELS);
        assert!(mixed.width >= 2 * mixed.height - 32, "{mixed:?}");
    }
}
