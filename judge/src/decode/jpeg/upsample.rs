//! The stored samples of a component, and its rows scaled to the frame's size.
//!
//! As in libjpeg: with a triangle filter if a component has half of the frame's samples, otherwise by repetition.

use std::ops::Range;

use kernels::jpeg::{inverse_dct, inverse_dct_dc_only, upsample_h1v2, upsample_h2v1, upsample_h2v2};
use shared_format::Roi;

use super::block::CoefficientBlock;
use super::header::{Component, FrameHeader};

/// Samples of a block, across and down.
const BLOCK: usize = 8;

/// How many of the frame's samples one sample of the component stands for, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ratio {
    pub across: usize,
    pub down: usize,
}

/// Scratch space for [`Plane::upsampled`].
#[derive(Debug, Default)]
pub(crate) struct UpsamplingBuffers {
    row: Vec<u8>,
    sums: Vec<u16>,
}

/// The samples of a component that an area of the frame needs.
#[derive(Default)]
pub(super) struct Plane {
    /// Rows of `stride` samples.
    samples: Vec<u8>,
    stride: usize,
    /// The blocks that are stored.
    columns: Range<usize>,
    rows: Range<usize>,
    /// Samples of the whole component that belong to the picture, across and down; the rest pads blocks.
    width: usize,
    height: usize,
    ratio: Ratio,
}

impl Plane {
    /// Makes room for the samples that an area of the frame needs. Their values are arbitrary until their blocks are drawn.
    pub(super) fn lay_out(&mut self, component: &Component, frame: &FrameHeader, area: Roi) {
        self.width = component.width;
        self.height = component.height;
        self.ratio =
            Ratio { across: frame.max_across / component.across, down: frame.max_down / component.down };
        let Roi { x, y, width, height } = area;
        let (xs, ys) = (x as usize..(x + width) as usize, y as usize..(y + height) as usize);
        let blocks = |samples: Range<usize>| samples.start / BLOCK..samples.end.div_ceil(BLOCK);
        self.columns = blocks(self.samples_across(&xs));
        self.rows = blocks(with_neighbours(&ys, self.ratio.down, self.height));
        self.stride = self.columns.len() * BLOCK;
        let length = self.stride * self.rows.len() * BLOCK;
        if self.samples.is_empty() {
            // The system's zeros cost less than writing them.
            self.samples = vec![0; length];
        } else {
            self.samples.resize(length, 0);
        }
    }

    /// Returns whether a block is stored.
    fn needs(&self, column: usize, row: usize) -> bool {
        self.columns.contains(&column) && self.rows.contains(&row)
    }

    /// Writes a block to its place, if it is stored.
    #[inline]
    pub(super) fn draw(&mut self, block: &CoefficientBlock<'_>, column: usize, row: usize) {
        if !self.needs(column, row) {
            return;
        }
        let (column, row) = (column - self.columns.start, row - self.rows.start);
        let start = (row * self.stride + column) * BLOCK;
        let end = start + self.stride * (BLOCK - 1) + BLOCK;
        let Some(out) = self.samples.get_mut(start..end) else { return };
        if block.last == 0 {
            inverse_dct_dc_only(block.coefficients[0][0], out, self.stride);
        } else {
            inverse_dct(&block.coefficients, out, self.stride);
        }
    }

    /// Returns the samples of a row that these pixels depend on.
    fn samples_across(&self, xs: &Range<usize>) -> Range<usize> {
        with_neighbours(xs, self.ratio.across, self.width)
    }

    /// Returns some samples of a row; beyond the last row, of the last.
    fn row(&self, row: usize, samples: &Range<usize>) -> &[u8] {
        let row = row.min(self.height.saturating_sub(1));
        let top = self.rows.start * BLOCK;
        let left = self.columns.start * BLOCK;
        let start = row.saturating_sub(top) * self.stride + samples.start.saturating_sub(left);
        self.samples.get(start..start + samples.len()).unwrap_or(&[])
    }

    /// Returns the pixels `xs` of row `y` of the frame, either in `buffers` or as stored.
    pub(super) fn upsampled<'p>(
        &'p self,
        y: usize,
        xs: &Range<usize>,
        buffers: &'p mut UpsamplingBuffers,
    ) -> &'p [u8] {
        let UpsamplingBuffers { row, sums } = buffers;
        let Ratio { across, down } = self.ratio;
        let samples = self.samples_across(xs);
        let source = y / down;
        let here = self.row(source, &samples);
        let near =
            || self.row(if y.is_multiple_of(2) { source.saturating_sub(1) } else { source + 1 }, &samples);
        // Two samples are too few for the horizontal filter.
        let is_wide = self.width > 2;
        match (across, down) {
            (1, 1) => return here,
            (2, 1) if is_wide => {
                row.resize(2 * here.len(), 0);
                upsample_h2v1(here, row);
            }
            (1, 2) => {
                row.resize(here.len(), 0);
                // Rounded up and down alternately, so that no row is brighter.
                let round = if y.is_multiple_of(2) { 1 } else { 2 };
                upsample_h1v2(here, near(), round, row);
            }
            (2, 2) if is_wide => {
                row.resize(2 * here.len(), 0);
                sums.resize(here.len(), 0);
                upsample_h2v2(here, near(), sums, row);
            }
            _ => {
                row.clear();
                row.extend(here.iter().flat_map(|&sample| std::iter::repeat_n(sample, across)));
            }
        }
        let first = xs.start.saturating_sub(samples.start * across);
        row.get(first..first + xs.len()).unwrap_or(&[])
    }
}

/// Returns the samples, of `all`, that these pixels lie in if each stands for `ratio` of them, and a neighbour on either side for the
/// filter if there is one.
fn with_neighbours(pixels: &Range<usize>, ratio: usize, all: usize) -> Range<usize> {
    let neighbours = usize::from(ratio > 1);
    let first = (pixels.start / ratio).saturating_sub(neighbours);
    first..(pixels.end.div_ceil(ratio) + neighbours).min(all)
}
