//! The innermost loop, a few rows of one matrix times a panel of another with all sums in registers; and packing weights into panels.

use crate::buffer::Buffer;
use crate::parallel::{SharedOutput, at};
use crate::simd::{Element, Simd};
use crate::spec::Epilogue;

/// Runs `$body` with a constant `$R` equal to `$height`, from 1 to `$S::ROWS`.
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
            // The guard is a constant, so instruction sets with six rows contain no code for more.
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

/// Runs `$body` for each `$row` of a tile's `$R` rows, at most 12. Unrolled by hand: if the compiler left a loop, the tile's index
/// wouldn't be constant, and the tile would stay in memory while it is summed.
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

/// Packs weights (output × channel × kernel position) into panels of outputs: [panel][position][channel][lane]. A panel has two vectors
/// of lanes; the last panel has one vector if that is enough for the remaining outputs.
pub(crate) fn pack_panels<E: Element>(
    lanes: usize,
    channels: usize,
    positions: usize,
    weights: &[f32],
) -> Buffer<E> {
    let taps = channels * positions;
    let outputs = weights.len() / taps;
    let mut panels = Buffer::zeros(outputs.next_multiple_of(lanes) * taps);
    let target = panels.floats_mut();
    for (output, filter) in weights.chunks_exact(taps).enumerate() {
        let first = output / (2 * lanes) * 2 * lanes;
        let width = if outputs - first > lanes { 2 * lanes } else { lanes };
        let panel = first * taps + output - first;
        for (channel, plane) in filter.chunks_exact(positions).enumerate() {
            for (position, &weight) in plane.iter().enumerate() {
                target[panel + (position * channels + channel) * width] = E::nearest(weight);
            }
        }
    }
    panels
}

/// The layout of the left matrix's rows. A row consists of `runs` runs of `run` floats each; for a convolution, one run for each
/// kernel row.
#[derive(Clone, Copy)]
pub(crate) struct MatrixRows<E> {
    pub from: *const E,
    /// Distance from one row to the next.
    pub step: usize,
    pub runs: usize,
    pub run: usize,
    /// Distance from one run to the next.
    pub run_step: usize,
}

/// The layout of an output's channels: groups of `contiguous` channels, with the following ones in the next image.
#[derive(Clone, Copy)]
pub(crate) struct ChannelLayout {
    pub contiguous: usize,
    /// Floats from one group of a pixel's channels to the next.
    pub group_stride: usize,
}

impl ChannelLayout {
    /// All of a pixel's channels are contiguous.
    pub const fn all_contiguous(channels: usize) -> Self {
        Self { contiguous: channels, group_stride: 0 }
    }

    /// Returns a channel's offset from the pixel's first one.
    #[inline(always)]
    pub const fn offset(self, channel: usize) -> usize {
        channel / self.contiguous * self.group_stride + channel % self.contiguous
    }
}

/// Multiplies `R` rows by a panel of `P` vectors and adds `start`.
///
/// # Safety
/// The rows must be readable as described, and so must `runs · run` rows of `P` vectors from `panel`.
#[inline(always)]
pub(crate) unsafe fn product<S: Simd, const R: usize, const P: usize>(
    s: S,
    rows: MatrixRows<S::E>,
    panel: *const S::E,
    start: [S::V; P],
) -> [[S::V; P]; R] {
    let mut sums = [start; R];
    let mut panel = panel;
    for run in 0..rows.runs {
        // SAFETY: guaranteed by the caller, here and below.
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

/// The destination of a tile's sums.
#[derive(Clone, Copy)]
pub(crate) enum Sink<'a, E> {
    /// An image that leaves the kernel.
    Image {
        output: SharedOutput<'a>,
        /// An image of the output's shape.
        residual: Option<&'a [f32]>,
        /// Whether the sums are added to the output's current values.
        accumulate: bool,
    },
    /// An intermediate image that the same kernel reads again.
    Intermediate(SharedOutput<'a, E>),
}

/// An epilogue's bounds, for sums that leave the kernel and for intermediate ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<E> {
    low: f32,
    high: f32,
    low_intermediate: E,
    high_intermediate: E,
}

impl<E: Element> Bounds<E> {
    pub fn of(&Epilogue { low, high, .. }: &Epilogue) -> Self {
        Self { low, high, low_intermediate: E::nearest(low), high_intermediate: E::nearest(high) }
    }
}

/// A tile's location in its [`Sink`].
#[derive(Clone, Copy)]
pub(crate) struct TilePosition<const P: usize> {
    /// The first row's pixel.
    pub pixel: usize,
    /// Number of contiguous channels, see [`ChannelLayout`].
    pub contiguous: usize,
    /// The vectors' offsets from the pixel's first channel.
    pub offsets: [usize; P],
    /// Channels remaining from the tile's first one on.
    pub left: usize,
}

/// [`Sink::Image`] with its bounds.
struct ImageSink<'a, V> {
    output: SharedOutput<'a>,
    residual: Option<&'a [f32]>,
    accumulate: bool,
    low: V,
    high: V,
}

impl<V: Copy> ImageSink<'_, V> {
    /// Writes one vector of sums.
    ///
    /// # Safety
    /// The `count` elements from `to` (a whole vector if `FULL`) must belong to the caller.
    #[inline(always)]
    unsafe fn write<S: Simd<E = f32, V = V>, const FULL: bool>(
        &self,
        s: S,
        sums: V,
        to: usize,
        count: usize,
    ) {
        let mut value = sums;
        if self.accumulate {
            // SAFETY: guaranteed by the caller.
            value = s.add(value, unsafe { s.load_if::<FULL>(self.output.at(to, count), count) });
        }
        if let Some(residual) = self.residual {
            // SAFETY: the residual has the output's shape.
            value = s.add(value, unsafe { s.load_if::<FULL>(at(residual, to, count), count) });
        }
        value = s.clamp_max(self.high, s.clamp_min(self.low, value));
        // SAFETY: guaranteed by the caller.
        unsafe { s.store_if::<FULL>(self.output.at(to, count), value, count) };
    }
}

/// Writes a tile's sums, clamped to the bounds.
///
/// # Safety
/// Every vector must hold at least one channel (`left` exceeds `P − 1` vectors), and all lanes of a `FULL` tile must be channels. The
/// channels, contiguous from each vector's offset, must lie in the sink and belong to the caller; a residual must have the sink's shape.
#[inline(always)]
pub(crate) unsafe fn write<S: Simd, const R: usize, const P: usize, const FULL: bool>(
    s: S,
    tile: &[[S::V; P]; R],
    position: TilePosition<P>,
    sink: Sink<'_, S::E>,
    bounds: &Bounds<S::E>,
) {
    let TilePosition { pixel, contiguous, offsets, left } = position;
    match sink {
        Sink::Image { output, residual, accumulate } => {
            let (wide, lanes) = (s.wide(), <S::Wide as Simd>::LANES);
            let image = ImageSink {
                output,
                residual,
                accumulate,
                low: wide.splat(bounds.low),
                high: wide.splat(bounds.high),
            };
            for_each_row!(R, row => {
                for vector in 0..P {
                    let count = left.saturating_sub(vector * S::LANES);
                    let to = (pixel + row) * contiguous + offsets[vector];
                    let parts = s.widen(tile[row][vector]);
                    // SAFETY: guaranteed by the caller.
                    unsafe { image.write::<S::Wide, FULL>(wide, parts[0], to, lanes.min(count)) };
                    if S::LANES > lanes && (FULL || count > lanes) {
                        // SAFETY: as above.
                        unsafe { image.write::<S::Wide, FULL>(wide, parts[1], to + lanes, lanes.min(count - lanes)) };
                    }
                }
            });
        }
        Sink::Intermediate(output) => {
            let (low, high) = (s.splat(bounds.low_intermediate), s.splat(bounds.high_intermediate));
            for_each_row!(R, row => {
                for vector in 0..P {
                    let count = S::LANES.min(left.saturating_sub(vector * S::LANES));
                    let to = (pixel + row) * contiguous + offsets[vector];
                    let value = s.clamp_max(high, s.clamp_min(low, tile[row][vector]));
                    // SAFETY: guaranteed by the caller.
                    unsafe { s.store_if::<FULL>(output.at(to, count), value, count) };
                }
            });
        }
    }
}

/// Splits `count` rows into tiles of nearly equal height, at most `max_height`, and yields the first row and height of each.
pub(crate) fn split_evenly(count: usize, max_height: usize) -> impl Iterator<Item = (usize, usize)> {
    let tiles = count.div_ceil(max_height);
    (0..tiles).map(move |index| {
        let (start, end) = (index * count / tiles, (index + 1) * count / tiles);
        (start, end - start)
    })
}
