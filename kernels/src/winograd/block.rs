//! A block of tiles: transformed, multiplied, transformed back and written, on one thread.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::Winograd;
use super::transform::Transform;
use crate::share::{Target, at, at_mut};
use crate::simd::{Simd, Task};
use crate::tile::{Rows, cut, product, with_height};

pub(super) struct Block<'a> {
    pub winograd: &'a Winograd,
    pub input: &'a [f32],
    pub residual: Option<&'a [f32]>,
    pub output: Target<'a>,
    /// The tiles' numbers, row by row.
    pub tiles: Range<usize>,
    /// At least [`room`] floats.
    pub room: &'a mut [f32],
}

impl<'a> Block<'a> {
    pub fn with<T: Transform<A, M>, const A: usize, const M: usize>(self) -> TypedBlock<'a, T, A, M> {
        TypedBlock { block: self, transform: PhantomData }
    }
}

pub(super) struct TypedBlock<'a, T, const A: usize, const M: usize> {
    block: Block<'a>,
    transform: PhantomData<T>,
}

/// Two rows of intermediate values whose distance is a power of two would compete for the same cache lines.
const GAP: usize = 16;

/// Floats of intermediate values that a block of `tiles` tiles needs.
pub(super) const fn room(w: &Winograd, tiles: usize) -> usize {
    let (points, _) = w.tile.sides();
    points * points * (tiles * (w.channels + w.group) + 2 * GAP)
}

impl<T: Transform<A, M>, const A: usize, const M: usize> Task for TypedBlock<'_, T, A, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let w = self.block.winograd;
        let count = self.block.tiles.len();
        let (input_step, sums_step) = (count * w.channels + GAP, count * w.group + GAP);
        let room = std::mem::take(&mut self.block.room);
        let (transformed, sums) = room.split_at_mut(A * A * input_step);
        for tile in 0..count {
            // SAFETY: `tile` is one of the `count` that `transformed` has room for.
            unsafe { self.transform_input(s, tile, transformed, input_step) };
        }
        for first in (0..w.outputs).step_by(w.group) {
            let width = w.group.min(w.outputs - first);
            for point in 0..A * A {
                // SAFETY: `transformed` and `sums` hold A · A matrices of `count` rows.
                unsafe {
                    self.multiply(s, (first, width), point, (transformed, input_step), (sums, sums_step));
                }
            }
            for tile in 0..count {
                // SAFETY: `tile` is one of the `count` whose sums were just computed.
                unsafe { self.transform_output(s, tile, (first, width), sums, sums_step) };
            }
        }
    }
}

impl<T: Transform<A, M>, const A: usize, const M: usize> TypedBlock<'_, T, A, M> {
    /// The tile's place in the output.
    #[inline(always)]
    fn origin(&self, tile: usize) -> (usize, usize) {
        let number = self.block.tiles.start + tile;
        let across = self.block.winograd.tiles_across;
        (number / across * M, number % across * M)
    }

    /// Bᵀ d B of one tile, all channels: one row of each of the A · A matrices.
    ///
    /// # Safety
    /// `transformed` has room for A · A matrices `step` apart, each of more than `tile` rows of the rounded channels.
    #[inline(always)]
    unsafe fn transform_input<S: Simd>(&self, s: S, tile: usize, transformed: &mut [f32], step: usize) {
        let w = self.block.winograd;
        let (height, width, channels) = (w.input.height, w.input.width, w.input.channels);
        let (top, left) = self.origin(tile);
        // Wrapping: a place above or left of the image becomes larger than any side.
        let (top, left) = (top.wrapping_sub(w.before[0]), left.wrapping_sub(w.before[1]));
        let inside = |start: usize, side: usize| start < side && start + A <= side;
        let inside = inside(top, height) && inside(left, width);
        let place = (top, left);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: the caller's promise; a whole vector of channels is left where `FULL`.
            unsafe {
                match (channels - channel >= S::LANES, inside) {
                    (true, true) => {
                        self.transform_vector::<S, true, true>(s, tile, channel, place, transformed, step);
                    }
                    (true, false) => {
                        self.transform_vector::<S, true, false>(s, tile, channel, place, transformed, step);
                    }
                    _ => self.transform_vector::<S, false, false>(s, tile, channel, place, transformed, step),
                }
            }
        }
    }

    /// [`Self::transform_input`] of one vector of channels. `FULL`: all its lanes are channels; `INSIDE`: the whole tile,
    /// whose place wraps around, lies inside the image.
    ///
    /// # Safety
    /// As [`Self::transform_input`], and what `FULL` and `INSIDE` say is true.
    #[inline(always)]
    unsafe fn transform_vector<S: Simd, const FULL: bool, const INSIDE: bool>(
        &self,
        s: S,
        tile: usize,
        channel: usize,
        (top, left): (usize, usize),
        transformed: &mut [f32],
        step: usize,
    ) {
        let w = self.block.winograd;
        let (height, width, channels) = (w.input.height, w.input.width, w.input.channels);
        let lanes = S::LANES.min(channels - channel);
        let mut half = [[MaybeUninit::<S::V>::uninit(); A]; A];
        for column in 0..A {
            let x = left.wrapping_add(column);
            let mut d = [s.splat(0.0); A];
            for row in 0..A {
                let y = top.wrapping_add(row);
                if INSIDE || (y < height && x < width) {
                    let from = (y * width + x) * channels + channel;
                    // SAFETY: the pixel lies inside the image, and `lanes` channels of it are left.
                    d[row] = unsafe { s.load_if::<FULL>(at(self.block.input, from, lanes), lanes) };
                }
            }
            let values = T::input(s, d);
            for row in 0..A {
                half[column][row].write(values[row]);
            }
        }
        for row in 0..A {
            let mut d = [s.splat(0.0); A];
            for column in 0..A {
                // SAFETY: every place of `half` was written above.
                d[column] = unsafe { half[column][row].assume_init() };
            }
            let values = T::input(s, d);
            for column in 0..A {
                let to = (row * A + column) * step + tile * w.channels + channel;
                // SAFETY: the caller's promise.
                unsafe { s.store(at_mut(transformed, to, S::LANES), values[column]) };
            }
        }
    }

    /// One point's matrix product: the tiles' channels times the filters of `width` outputs from `first`.
    ///
    /// # Safety
    /// `transformed` and `sums` hold A · A matrices, their steps apart, with a row for each of the block's tiles.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(
        &self,
        s: S,
        (first, width): (usize, usize),
        point: usize,
        (transformed, input_step): (&[f32], usize),
        (sums, sums_step): (&mut [f32], usize),
    ) {
        let w = self.block.winograd;
        let channels = w.input.channels;
        let filters = first * A * A * channels + point * channels * width;
        let columns = 2 * S::LANES;
        for panel in 0..width / columns {
            let weights = filters + panel * channels * columns;
            // SAFETY: `filters` has a panel of all channels for every two vectors of outputs of each point.
            let weights = unsafe { at(w.filters.floats(), weights, channels * columns) };
            for (start, height) in cut(self.block.tiles.len(), S::ROWS) {
                let from = point * input_step + start * w.channels;
                // SAFETY: the caller's promise.
                let from = unsafe { at(transformed, from, height * w.channels) };
                let rows = Rows { from, step: w.channels, runs: 1, run: channels, run_step: 0 };
                let to = point * sums_step + start * w.group + panel * columns;
                with_height!(S, height, R => {
                    // SAFETY: `rows` and `weights` were bounded above.
                    let tile: [[S::V; 2]; R] = unsafe { product(s, rows, weights, [s.splat(0.0); 2]) };
                    for row in 0..R {
                        // SAFETY: the caller's promise.
                        unsafe {
                            let to = at_mut(sums, to + row * w.group, columns);
                            s.store(to, tile[row][0]);
                            s.store(to.add(S::LANES), tile[row][1]);
                        }
                    }
                });
            }
        }
    }

    /// Aᵀ m A of one tile, `width` outputs from `first`, through the epilogue into the output.
    ///
    /// # Safety
    /// `sums` holds A · A matrices `step` apart, each of more than `tile` rows.
    #[inline(always)]
    unsafe fn transform_output<S: Simd>(
        &self,
        s: S,
        tile: usize,
        (first, width): (usize, usize),
        sums: &[f32],
        step: usize,
    ) {
        let w = self.block.winograd;
        let (top, left) = self.origin(tile);
        let outputs = w.sums.channels;
        for channel in (0..width).step_by(S::LANES) {
            let output = first + channel;
            if output >= outputs {
                break;
            }
            // SAFETY: the caller's promise; a whole vector of outputs is left where `FULL`.
            unsafe {
                if outputs - output >= S::LANES {
                    self.output_vector::<S, true>(s, tile, (top, left), channel, output, sums, step);
                } else {
                    self.output_vector::<S, false>(s, tile, (top, left), channel, output, sums, step);
                }
            }
        }
    }

    /// [`Self::transform_output`] of one vector of outputs, channel `channel` of the group. `FULL`: all lanes are outputs.
    ///
    /// # Safety
    /// As [`Self::transform_output`], and what `FULL` says is true.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the body of a loop")]
    unsafe fn output_vector<S: Simd, const FULL: bool>(
        &self,
        s: S,
        tile: usize,
        (top, left): (usize, usize),
        channel: usize,
        output: usize,
        sums: &[f32],
        step: usize,
    ) {
        let w = self.block.winograd;
        let outputs = w.sums.channels;
        let (low, high) = (s.splat(w.epilogue.low), s.splat(w.epilogue.high));
        let lanes = S::LANES.min(outputs - output);
        let mut half = [[MaybeUninit::<S::V>::uninit(); M]; A];
        for column in 0..A {
            let mut m = [s.splat(0.0); A];
            for row in 0..A {
                let from = (row * A + column) * step + tile * w.group + channel;
                // SAFETY: the caller's promise.
                m[row] = unsafe { s.load(at(sums, from, S::LANES)) };
            }
            let values = T::output(s, m);
            for row in 0..M {
                half[column][row].write(values[row]);
            }
        }
        // SAFETY: the bias is padded to whole panels.
        let bias = unsafe { s.load(at(w.bias.floats(), output, S::LANES)) };
        let mut above = [s.splat(0.0); M];
        // Not `min` with the tile's sides in the loops: they are unrolled as long as their bounds are constant.
        let (rows, columns) = (w.sums.height - top, w.sums.width - left);
        for row in 0..M {
            if row >= rows {
                break;
            }
            let mut m = [s.splat(0.0); A];
            for column in 0..A {
                // SAFETY: every place of `half` was written above.
                m[column] = unsafe { half[column][row].assume_init() };
            }
            let mut values = T::output(s, m);
            for column in 0..M {
                values[column] = s.add(values[column], bias);
                if let Some(residual) = self.block.residual
                    && column < columns
                {
                    let from = ((top + row) * w.sums.width + left + column) * outputs + output;
                    // SAFETY: the residual has the output's shape, and the place lies inside.
                    let residual = unsafe { s.load_if::<FULL>(at(residual, from, lanes), lanes) };
                    values[column] = s.add(values[column], residual);
                }
                values[column] = s.at_most(high, s.at_least(low, values[column]));
            }
            if !w.epilogue.average_pool {
                for column in 0..M {
                    if column < columns {
                        let to = ((top + row) * w.sums.width + left + column) * outputs + output;
                        // SAFETY: the place lies inside, and belongs to this tile alone.
                        unsafe { s.store_if::<FULL>(self.block.output.at(to, lanes), values[column], lanes) };
                    }
                }
            } else if row % 2 == 0 {
                above = values;
            } else {
                for pixel in 0..M / 2 {
                    if 2 * pixel < columns {
                        let upper = s.add(above[2 * pixel], above[2 * pixel + 1]);
                        let lower = s.add(values[2 * pixel], values[2 * pixel + 1]);
                        let mean = s.mul(s.add(upper, lower), s.splat(0.25));
                        let pixel = (top + row) / 2 * (w.sums.width / 2) + left / 2 + pixel;
                        let to = pixel * outputs + output;
                        // SAFETY: the place lies inside, and belongs to this tile alone.
                        unsafe { s.store_if::<FULL>(self.block.output.at(to, lanes), mean, lanes) };
                    }
                }
            }
        }
    }
}
