//! The innermost loop: a few rows of one matrix times a panel of another, all sums in registers; and weights as panels.

use crate::buffer::Buffer;
use crate::simd::Simd;

/// Weights (output × channel × place of the kernel) by panels of outputs: [panel][place][channel][lane]. A panel has two
/// vectors of lanes; the last one has one vector where that holds what is left.
pub(crate) fn panels(lanes: usize, channels: usize, places: usize, weights: &[f32]) -> Buffer {
    let taps = channels * places;
    let outputs = weights.len() / taps;
    let mut panels = Buffer::zeros(outputs.next_multiple_of(lanes) * taps);
    let target = panels.floats_mut();
    for (output, filter) in weights.chunks_exact(taps).enumerate() {
        let first = output / (2 * lanes) * 2 * lanes;
        let width = if outputs - first > lanes { 2 * lanes } else { lanes };
        let panel = first * taps + output - first;
        for (channel, plane) in filter.chunks_exact(places).enumerate() {
            for (place, &weight) in plane.iter().enumerate() {
                target[panel + (place * channels + channel) * width] = weight;
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

/// How an output's channels lie: so many side by side, and the next as many an image further.
#[derive(Clone, Copy)]
pub(crate) struct Split {
    pub side_by_side: usize,
    /// Floats from a pixel's channels to its next ones.
    pub apart: usize,
}

impl Split {
    /// All of a pixel's channels lie side by side.
    pub const fn none(channels: usize) -> Self {
        Self { side_by_side: channels, apart: 0 }
    }

    /// Where a channel lies, from the pixel's first one.
    #[inline(always)]
    pub const fn offset(self, channel: usize) -> usize {
        channel / self.side_by_side * self.apart + channel % self.side_by_side
    }
}

/// `R` rows times a panel of `P` vectors, plus `start`.
///
/// # Safety
/// The rows can be read as described, and `runs · run` rows of `P` vectors from `panel`.
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
                weights[vector] = unsafe { s.load(panel.add(vector * S::LANES)) };
            }
            for row in 0..R {
                // SAFETY: as above.
                let factor = s.splat(unsafe { *from.add(row * rows.step + index) });
                for vector in 0..P {
                    sums[row][vector] = s.fma(factor, weights[vector], sums[row][vector]);
                }
            }
            // SAFETY: at most one past the panel's end.
            panel = unsafe { panel.add(P * S::LANES) };
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

/// Calls `$body` with the constant `$R` that equals `$height`, 1 to `$S::ROWS`.
macro_rules! with_height {
    ($S:ident, $height:expr, $R:ident => $body:expr) => {
        with_height!($S, $height, $R => $body; 1 2 3 4 5; 7 8 9 10 11 12)
    };
    ($S:ident, $height:expr, $R:ident => $body:expr; $($low:literal)+; $($high:literal)+) => {
        match $height {
            $($low => {
                const $R: usize = $low;
                $body
            })+
            // The guard is a constant: paths of six rows hold no code for more.
            $($high if $S::ROWS > 6 => {
                const $R: usize = $high;
                $body
            })+
            _ => {
                const $R: usize = 6;
                $body
            }
        }
    };
}
pub(crate) use with_height;

/// Does `$body` for each `$row` of the `$R` rows of a tile, at most 12, unrolled by us: where the compiler leaves a loop, a
/// tile's index isn't constant, and the tile is kept in memory while it is summed.
macro_rules! for_each_row {
    ($R:ident, $row:ident => $body:expr) => {
        for_each_row!($R, $row => $body; 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    ($R:ident, $row:ident => $body:expr; $($index:literal)+) => {
        $(if $index < $R {
            let $row = $index;
            $body
        })+
    };
}
pub(crate) use for_each_row;
