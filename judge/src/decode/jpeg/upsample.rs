//! Scales the rows of a component to the frame's full size.
//!
//! As in libjpeg: with a triangle filter if a component has half of the frame's samples, otherwise by repetition.

use kernels::jpeg::{upsample_h1v2, upsample_h2v1, upsample_h2v2};

/// How many of the frame's samples one sample of the component stands for, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    pub across: usize,
    pub down: usize,
}

/// A component's samples.
pub(super) struct Plane {
    /// Rows of `stride` samples.
    pub samples: Vec<u8>,
    pub stride: usize,
    /// Samples that belong to the picture, across and down; the rest pads blocks.
    pub width: usize,
    pub height: usize,
    pub ratio: Ratio,
}

impl Plane {
    fn row(&self, row: usize) -> &[u8] {
        let start = row.min(self.height.saturating_sub(1)) * self.stride;
        self.samples.get(start..start + self.width).unwrap_or(&[])
    }

    /// Returns row `y` of the frame: at least its `width` samples, either in `row` or as stored. `sums` is scratch
    /// space.
    pub(super) fn upsampled<'p>(&'p self, y: usize, row: &'p mut Vec<u8>, sums: &mut Vec<u16>) -> &'p [u8] {
        let Ratio { across, down } = self.ratio;
        let source = y / down;
        let near = || self.row(if y.is_multiple_of(2) { source.saturating_sub(1) } else { source + 1 });
        // Two samples are too few for the horizontal filter.
        let is_wide = self.width > 2;
        match (across, down) {
            (1, 1) => return self.row(source),
            (2, 1) if is_wide => {
                row.resize(2 * self.width, 0);
                upsample_h2v1(self.row(source), row);
            }
            (1, 2) => {
                row.resize(self.width, 0);
                // Rounded up and down alternately, so that no row is brighter.
                let round = if y.is_multiple_of(2) { 1 } else { 2 };
                upsample_h1v2(self.row(source), near(), round, row);
            }
            (2, 2) if is_wide => {
                row.resize(2 * self.width, 0);
                sums.resize(self.width, 0);
                upsample_h2v2(self.row(source), near(), sums, row);
            }
            _ => {
                row.clear();
                row.extend(self.row(source).iter().flat_map(|&sample| std::iter::repeat_n(sample, across)));
            }
        }
        row
    }
}
