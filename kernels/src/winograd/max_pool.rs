//! A convolution fused with the max pooling after it, so that the large image between them never leaves the cache.

use std::ops::Range;

use super::Winograd;
use super::block::{TileBlock, scratch_length};
use crate::buffer::with_scratch;
use crate::max_pool::{MaxPool, MaxPoolRow};
use crate::parallel::{self, SharedOutput};
use crate::simd::{Dispatch, Isa};

/// Convolution values computed at a time: half of a small processor's L2 cache.
const VALUES: usize = 1 << 16;

impl Winograd {
    /// Computes the maxima of `pool`, whose input must have the shape of the sums. The slices' lengths must match the shapes.
    pub fn run_with_max_pool(&self, isa: Isa, pool: &MaxPool, input: &[f32], output: &mut [f32]) {
        let output = SharedOutput::new(output);
        let height = pool.output().height;
        // At its upper border, each strip recomputes values that the strip above it computes, too.
        let strips = parallel::idle_threads().min(height);
        parallel::for_each(strips, |strip| {
            let rows = strip * height / strips..(strip + 1) * height / strips;
            self.strip(isa, pool, input, output, rows);
        });
    }

    /// Computes some rows of the maxima.
    fn strip(&self, isa: Isa, pool: &MaxPool, input: &[f32], output: SharedOutput<'_>, rows: Range<usize>) {
        let line = self.sums.width * self.sums.channels;
        let (first, end) = (pool.input_rows(rows.start).0, pool.input_rows(rows.end - 1).1);
        let tile_rows = first / self.side..end.div_ceil(self.side);
        let step = (VALUES / (self.side * line)).max(1);
        let values = (step * self.side + pool.window_rows()) * line;
        let block_tiles = self.block_tiles.min(step * self.tiles_across);
        with_scratch(values + scratch_length(self, block_tiles), |scratch| {
            let (values, scratch) = scratch.split_at_mut(values);
            // The rows of values held in the buffer, and the next row of maxima.
            let mut held = tile_rows.start * self.side..tile_rows.start * self.side;
            let mut next = rows.start;
            for tile_row in tile_rows.clone().step_by(step) {
                let tile_end = (tile_row + step).min(tile_rows.end);
                let tiles = tile_row * self.tiles_across..tile_end * self.tiles_across;
                for first in tiles.clone().step_by(block_tiles) {
                    let tiles = first..(first + block_tiles).min(tiles.end);
                    let (output, outputs, scratch) =
                        (SharedOutput::new(values), 0..self.outputs, &mut *scratch);
                    let top = held.start;
                    let residual = None;
                    self.block(
                        isa,
                        TileBlock { winograd: self, input, residual, output, top, tiles, outputs, scratch },
                    );
                }
                held.end = (tile_end * self.side).min(self.sums.height);
                while next < rows.end && pool.input_rows(next).1 <= held.end {
                    isa.run(MaxPoolRow { pool, input: values, top: held.start, output, row: next });
                    next += 1;
                }
                // Keep the rows that the next window needs again.
                let kept = pool.input_rows(next).0.clamp(held.start, held.end);
                values.copy_within((kept - held.start) * line..(held.end - held.start) * line, 0);
                held.start = kept;
            }
        });
    }
}
