//! A convolution fused with the max pooling after it, so that the large image between them never leaves the cache.

use std::ops::Range;

use super::Winograd;
use super::block::{Block, room};
use crate::buffer::lend;
use crate::pool::{MaxPool, Row};
use crate::share::{self, Target};
use crate::simd::{Path, Vectors};

/// Convolution values computed at a time: half of a small processor's L2 cache.
const VALUES: usize = 1 << 16;

impl Winograd {
    /// Computes the maxima of `pool`, whose input must have the shape of the sums. The slices' lengths must match the shapes.
    pub fn run_pooled(&self, path: Path, pool: &MaxPool, input: &[f32], output: &mut [f32]) {
        let output = Target::new(output);
        let height = pool.output().height;
        // At its upper border, each strip recomputes values that the strip above it computes, too.
        let strips = share::idle_threads().min(height);
        share::for_each(strips, |strip| {
            let rows = strip * height / strips..(strip + 1) * height / strips;
            self.strip(path, pool, input, output, rows);
        });
    }

    /// Computes some rows of the maxima.
    fn strip(&self, path: Path, pool: &MaxPool, input: &[f32], output: Target<'_>, rows: Range<usize>) {
        let line = self.sums.width * self.sums.channels;
        let (first, end) = (pool.reads(rows.start).0, pool.reads(rows.end - 1).1);
        let tile_rows = first / self.side..end.div_ceil(self.side);
        let step = (VALUES / (self.side * line)).max(1);
        let values = (step * self.side + pool.window_rows()) * line;
        let block_tiles = self.block_tiles.min(step * self.tiles_across);
        lend(values + room(self, block_tiles), |room| {
            let (values, room) = room.split_at_mut(values);
            // The rows of values held in the buffer, and the next row of maxima.
            let mut held = tile_rows.start * self.side..tile_rows.start * self.side;
            let mut next = rows.start;
            for tile_row in tile_rows.clone().step_by(step) {
                let tile_end = (tile_row + step).min(tile_rows.end);
                let tiles = tile_row * self.tiles_across..tile_end * self.tiles_across;
                for first in tiles.clone().step_by(block_tiles) {
                    let tiles = first..(first + block_tiles).min(tiles.end);
                    let (output, outputs, room) = (Target::new(values), 0..self.outputs, &mut *room);
                    let top = held.start;
                    let residual = None;
                    self.block(
                        path,
                        Block { winograd: self, input, residual, output, top, tiles, outputs, room },
                    );
                }
                held.end = (tile_end * self.side).min(self.sums.height);
                while next < rows.end && pool.reads(next).1 <= held.end {
                    path.run(Row { pool, input: values, top: held.start, output, row: next });
                    next += 1;
                }
                // Keep the rows that the next window needs again.
                let kept = pool.reads(next).0.clamp(held.start, held.end);
                values.copy_within((kept - held.start) * line..(held.end - held.start) * line, 0);
                held.start = kept;
            }
        });
    }
}
