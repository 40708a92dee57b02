//! The innermost loop: a few rows of one matrix times a panel of another, all sums in registers; and weights as panels.

use crate::buffer::Buffer;
use crate::share::{Target, at};
use crate::simd::{Element, Simd};
use crate::spec::Epilogue;

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

/// Weights (output × channel × place of the kernel) by panels of outputs: [panel][place][channel][lane]. A panel has two
/// vectors of lanes; the last one has one vector where that holds what is left.
pub(crate) fn panels<E: Element>(lanes: usize, channels: usize, places: usize, weights: &[f32]) -> Buffer<E> {
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
                target[panel + (place * channels + channel) * width] = E::nearest(weight);
            }
        }
    }
    panels
}

/// Where the left matrix's rows lie. A row is `runs` runs of `run` floats each: a convolution's row consists of one run
/// for each row of its kernel.
#[derive(Clone, Copy)]
pub(crate) struct Rows<E> {
    pub from: *const E,
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
    rows: Rows<S::E>,
    panel: *const S::E,
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

/// Where a tile's sums go.
#[derive(Clone, Copy)]
pub(crate) enum Sink<'a, E> {
    /// An image that leaves the kernel.
    Image {
        output: Target<'a>,
        /// An image of the output's shape.
        residual: Option<&'a [f32]>,
        /// The sums are added to what the output holds.
        adds: bool,
    },
    /// What the same kernel reads again.
    Within(Target<'a, E>),
}

/// The least and the largest value of an epilogue, for sums that leave the kernel and for those that stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<E> {
    low: f32,
    high: f32,
    low_within: E,
    high_within: E,
}

impl<E: Element> Bounds<E> {
    pub fn of(&Epilogue { low, high, .. }: &Epilogue) -> Self {
        Self { low, high, low_within: E::nearest(low), high_within: E::nearest(high) }
    }
}

/// Where a tile lies in its [`Sink`].
#[derive(Clone, Copy)]
pub(crate) struct Place<const P: usize> {
    /// The first row's pixel.
    pub pixel: usize,
    /// Channels that lie side by side, see [`Split`].
    pub side_by_side: usize,
    /// Where the vectors lie, from the pixel's first channel.
    pub offsets: [usize; P],
    /// Channels from the tile's first one to the last.
    pub left: usize,
}

/// [`Sink::Image`] with its bounds.
struct Image<'a, V> {
    output: Target<'a>,
    residual: Option<&'a [f32]>,
    adds: bool,
    low: V,
    high: V,
}

impl<V: Copy> Image<'_, V> {
    /// One vector of sums.
    ///
    /// # Safety
    /// The `count` places from `to` are the caller's, a vector's where `FULL`.
    #[inline(always)]
    unsafe fn write<S: Simd<E = f32, V = V>, const FULL: bool>(
        &self,
        s: S,
        sums: V,
        to: usize,
        count: usize,
    ) {
        let mut value = sums;
        if self.adds {
            // SAFETY: the caller's promise.
            value = s.add(value, unsafe { s.load_if::<FULL>(self.output.at(to, count), count) });
        }
        if let Some(residual) = self.residual {
            // SAFETY: the residual has the output's shape.
            value = s.add(value, unsafe { s.load_if::<FULL>(at(residual, to, count), count) });
        }
        value = s.at_most(self.high, s.at_least(self.low, value));
        // SAFETY: the caller's promise.
        unsafe { s.store_if::<FULL>(self.output.at(to, count), value, count) };
    }
}

/// Writes a tile's sums between the bounds.
///
/// # Safety
/// Every vector has a channel (`left` is more than `P − 1` vectors'), and all lanes of a `FULL` tile are channels. The channels'
/// places, side by side from each vector's offset, lie in the sink and are the caller's; a residual has the sink's shape.
#[inline(always)]
pub(crate) unsafe fn write<S: Simd, const R: usize, const P: usize, const FULL: bool>(
    s: S,
    tile: &[[S::V; P]; R],
    place: Place<P>,
    sink: Sink<'_, S::E>,
    bounds: &Bounds<S::E>,
) {
    let Place { pixel, side_by_side, offsets, left } = place;
    match sink {
        Sink::Image { output, residual, adds } => {
            let (wide, lanes) = (s.wide(), <S::Wide as Simd>::LANES);
            let image =
                Image { output, residual, adds, low: wide.splat(bounds.low), high: wide.splat(bounds.high) };
            for_each_row!(R, row => {
                for vector in 0..P {
                    let count = left.saturating_sub(vector * S::LANES);
                    let to = (pixel + row) * side_by_side + offsets[vector];
                    let parts = s.widen(tile[row][vector]);
                    // SAFETY: the caller's promise.
                    unsafe { image.write::<S::Wide, FULL>(wide, parts[0], to, lanes.min(count)) };
                    if S::LANES > lanes && (FULL || count > lanes) {
                        // SAFETY: as above.
                        unsafe { image.write::<S::Wide, FULL>(wide, parts[1], to + lanes, lanes.min(count - lanes)) };
                    }
                }
            });
        }
        Sink::Within(output) => {
            let (low, high) = (s.splat(bounds.low_within), s.splat(bounds.high_within));
            for_each_row!(R, row => {
                for vector in 0..P {
                    let count = S::LANES.min(left.saturating_sub(vector * S::LANES));
                    let to = (pixel + row) * side_by_side + offsets[vector];
                    let value = s.at_most(high, s.at_least(low, tile[row][vector]));
                    // SAFETY: the caller's promise.
                    unsafe { s.store_if::<FULL>(output.at(to, count), value, count) };
                }
            });
        }
    }
}

/// Cuts `count` rows into tiles of nearly the same height, at most `most`: first row and height of each.
pub(crate) fn cut(count: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let tiles = count.div_ceil(most);
    (0..tiles).map(move |index| {
        let (start, end) = (index * count / tiles, (index + 1) * count / tiles);
        (start, end - start)
    })
}
