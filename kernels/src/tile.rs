//! The innermost loop: a few rows of one matrix times a panel of another, all sums in registers; and weights as panels.

use crate::buffer::Buffer;
use crate::simd::{LANES, Simd};

/// Columns of a panel: two vectors.
pub(crate) const PANEL: usize = 2 * LANES;
/// Rows of a tile. Six rows of two vectors, the two vectors of the panel and one factor fill AVX2's sixteen registers.
pub(crate) const ROWS: usize = 6;

/// Weights (output × channel × place of the kernel) by panels of outputs: [panel][place][channel][lane].
pub(crate) fn panels(channels: usize, places: usize, weights: &[f32]) -> Buffer {
    let taps = channels * places;
    let outputs = weights.len() / taps;
    let mut panels = Buffer::zeros(outputs.next_multiple_of(PANEL) * taps);
    let target = panels.floats_mut();
    for (output, filter) in weights.chunks_exact(taps).enumerate() {
        let panel = output / PANEL * PANEL * taps + output % PANEL;
        for (channel, plane) in filter.chunks_exact(places).enumerate() {
            for (place, &weight) in plane.iter().enumerate() {
                target[panel + (place * channels + channel) * PANEL] = weight;
            }
        }
    }
    panels
}

/// Where the left matrix's rows lie. A row is `runs` runs of `run` floats each: a convolution's row consists of one run
/// for each row of its kernel.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    pub from: *const f32,
    /// From one row to the next.
    pub step: usize,
    pub runs: usize,
    pub run: usize,
    /// From one run to the next.
    pub run_step: usize,
}

/// `R` rows times the first `P` vectors of a panel's rows, plus `start`.
///
/// # Safety
/// The rows can be read as described, and `runs · run` rows from `panel`.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const R: usize, const P: usize>(
    s: S,
    rows: Rows,
    panel: *const f32,
    start: [S::V; P],
) -> [[S::V; P]; R] {
    let mut sums = [start; R];
    let mut panel = panel;
    for run in 0..rows.runs {
        // SAFETY: the caller's promise, here and below.
        let from = unsafe { rows.from.add(run * rows.run_step) };
        for index in 0..rows.run {
            let mut weights = start;
            for vector in 0..P {
                // SAFETY: as above.
                weights[vector] = unsafe { s.load(panel.add(vector * LANES)) };
            }
            for row in 0..R {
                // SAFETY: as above.
                let factor = s.splat(unsafe { *from.add(row * rows.step + index) });
                for vector in 0..P {
                    sums[row][vector] = s.fma(factor, weights[vector], sums[row][vector]);
                }
            }
            // SAFETY: at most one past the panel's end.
            panel = unsafe { panel.add(PANEL) };
        }
    }
    sums
}

/// Cuts `count` rows into tiles of nearly the same height, at most `most`: first row and height of each.
pub(crate) fn cut(count: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let tiles = count.div_ceil(most);
    (0..tiles).map(move |index| {
        let (start, end) = (index * count / tiles, (index + 1) * count / tiles);
        (start, end - start)
    })
}

/// Calls `$body` with the constant `$R` that equals `$height`, 1 to 6.
macro_rules! with_height {
    ($height:expr, $R:ident => $body:expr) => {
        match $height {
            1 => {
                const $R: usize = 1;
                $body
            }
            2 => {
                const $R: usize = 2;
                $body
            }
            3 => {
                const $R: usize = 3;
                $body
            }
            4 => {
                const $R: usize = 4;
                $body
            }
            5 => {
                const $R: usize = 5;
                $body
            }
            _ => {
                const $R: usize = 6;
                $body
            }
        }
    };
}
pub(crate) use with_height;
