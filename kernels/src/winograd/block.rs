//! Processes a block of tiles on one thread: transforms them, multiplies them by the filters, transforms them back and writes them.

use std::marker::PhantomData;
use std::ops::Range;

use super::Winograd;
use super::filters::{CHANNELS, PlainFilters, WinogradFilters};
use super::transform::Transform;
use crate::microkernel::{MatrixRows, product, split_evenly, with_height};
use crate::parallel::{SharedOutput, at, at_mut};
use crate::simd::{Simd, SimdTask};

pub(super) struct TileBlock<'a> {
    pub winograd: &'a Winograd,
    pub input: &'a [f32],
    pub residual: Option<&'a [f32]>,
    pub output: SharedOutput<'a>,
    /// The output's first row; 0 if means are written.
    pub top: usize,
    /// The tiles' indices, in row-major order.
    pub tiles: Range<usize>,
    /// Whole groups of outputs.
    pub outputs: Range<usize>,
    /// At least [`scratch_length`] floats.
    pub scratch: &'a mut [f32],
}

impl<'a> TileBlock<'a> {
    pub fn with<T: Transform<A, M, R>, const A: usize, const M: usize, const R: usize>(
        self,
    ) -> TypedTileBlock<'a, T, A, M, R> {
        TypedTileBlock { block: self, transform: PhantomData }
    }
}

pub(super) struct TypedTileBlock<'a, T, const A: usize, const M: usize, const R: usize> {
    pub(super) block: TileBlock<'a>,
    transform: PhantomData<T>,
}

/// Padding between rows of intermediate values: rows a power of two apart would compete for the same cache lines.
const GAP: usize = 16;

/// Returns the scratch floats that a block of `tiles` tiles needs.
pub(super) fn scratch_length(w: &Winograd, tiles: usize) -> usize {
    let [input, sums, filters] = point_strides(w, tiles);
    let [points, own] = w.points;
    points * (input + sums) + own * filters
}

/// Returns the distances in floats between points, for the transformed input, the sums, and the filters that the block transforms.
fn point_strides(w: &Winograd, tiles: usize) -> [usize; 3] {
    let filters = match w.filters {
        WinogradFilters::Transformed(_) => 0,
        WinogradFilters::Plain(_) => CHANNELS.min(w.input.channels) * w.group + GAP,
    };
    [tiles * w.channels + GAP, tiles * w.group + GAP, filters]
}

/// The filters of one multiplication.
#[derive(Clone, Copy)]
struct Factor {
    /// [panel][channel][lane].
    filters: *const f32,
    panels: usize,
    /// The first channel and the number of channels.
    channels: (usize, usize),
}

impl<T: Transform<A, M, R>, const A: usize, const M: usize, const R: usize> SimdTask
    for TypedTileBlock<'_, T, A, M, R>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(mut self, s: S) {
        let w = self.block.winograd;
        let columns = 2 * S::LANES;
        let (count, all) = (self.block.tiles.len(), w.input.channels);
        let [input_step, sums_step, filters_step] = point_strides(w, count);
        let scratch = std::mem::take(&mut self.block.scratch);
        let (transformed, scratch) = scratch.split_at_mut(A * A * input_step);
        let (sums, retransformed) = scratch.split_at_mut(A * A * sums_step);
        for tile in 0..count {
            // SAFETY: `tile` is one of the `count` that `transformed` has room for.
            unsafe { self.transform_input(s, tile, transformed, input_step) };
        }
        for first in (self.block.outputs.start..self.block.outputs.end).step_by(w.group) {
            let width = w.group.min(w.outputs - first);
            let panels = width / columns;
            match &w.filters {
                WinogradFilters::Transformed(filters) => {
                    for point in 0..A * A {
                        // SAFETY: `filters` has a panel of all channels for every two vectors of outputs of each point;
                        // `transformed` and `sums` hold A · A matrices of `count` rows.
                        unsafe {
                            let own = T::FILTERS * T::FILTERS;
                            let index = (first * own + Self::filter_of(point) * width) * all;
                            let filters = at(filters.floats(), index, all * width);
                            let factor = Factor { filters, panels, channels: (0, all) };
                            self.multiply(s, factor, point, (transformed, input_step), (sums, sums_step));
                        }
                    }
                }
                WinogradFilters::Plain(filters) => {
                    for channel in (0..all).step_by(CHANNELS) {
                        let few = CHANNELS.min(all - channel);
                        // SAFETY: as above; `retransformed` has room for a group of filters of `few` channels.
                        unsafe {
                            let plain =
                                PlainFilters { floats: &filters.floats()[R * R * first * all..], panels };
                            let range = channel..channel + few;
                            plain.transform::<S, T, A, M, R>(s, range, (retransformed, filters_step));
                        }
                        for point in 0..A * A {
                            // SAFETY: as above.
                            unsafe {
                                let filters =
                                    at(retransformed, Self::filter_of(point) * filters_step, few * width);
                                let factor = Factor { filters, panels, channels: (channel, few) };
                                self.multiply(s, factor, point, (transformed, input_step), (sums, sums_step));
                            }
                        }
                    }
                }
            }
            for tile in 0..count {
                // SAFETY: `tile` is one of the `count` whose sums were just computed.
                unsafe { self.transform_output(s, tile, (first, width), sums, sums_step) };
            }
        }
    }
}

impl<T: Transform<A, M, R>, const A: usize, const M: usize, const R: usize> TypedTileBlock<'_, T, A, M, R> {
    /// Returns the index of a point's filter.
    #[inline(always)]
    fn filter_of(point: usize) -> usize {
        let [row, column] = [point / A, point % A].map(|index| index.min(T::FILTERS - 1));
        row * T::FILTERS + column
    }

    /// Returns the tile's position in the output.
    #[inline(always)]
    pub(super) fn origin(&self, tile: usize) -> (usize, usize) {
        let number = self.block.tiles.start + tile;
        let across = self.block.winograd.tiles_across;
        (number / across * M, number % across * M)
    }

    /// Computes one point's matrix product, the tiles' channels times the filters. The first channels initialise the sums; later ones
    /// are added.
    ///
    /// # Safety
    /// `transformed` and `sums` must hold A · A matrices, at their steps, with a row for each of the block's tiles; the factor's
    /// panels must have two vectors for each of its channels.
    #[inline(always)]
    unsafe fn multiply<S: Simd<E = f32>>(
        &self,
        s: S,
        factor: Factor,
        point: usize,
        (transformed, input_step): (&[f32], usize),
        (sums, sums_step): (&mut [f32], usize),
    ) {
        let w = self.block.winograd;
        let (channel, channels) = factor.channels;
        let columns = 2 * S::LANES;
        for panel in 0..factor.panels {
            // SAFETY: guaranteed by the caller, here and below.
            let filters = unsafe { factor.filters.add(panel * channels * columns) };
            for (start, height) in split_evenly(self.block.tiles.len(), S::ROWS) {
                let from = point * input_step + start * w.channels + channel;
                // SAFETY: as above.
                let from = unsafe { at(transformed, from, (height - 1) * w.channels + channels) };
                let rows = MatrixRows { from, step: w.channels, runs: 1, run: channels, run_step: 0 };
                let to = point * sums_step + start * w.group + panel * columns;
                with_height!(S, height, H => {
                    // SAFETY: as above.
                    let tile: [[S::V; 2]; H] = unsafe { product(s, rows, filters, [s.splat(0.0); 2]) };
                    for row in 0..H {
                        for vector in 0..2 {
                            // SAFETY: as above.
                            unsafe {
                                let to = at_mut(sums, to + row * w.group + vector * S::LANES, S::LANES);
                                let sum = tile[row][vector];
                                s.store(to, if channel == 0 { sum } else { s.add(s.load(to), sum) });
                            }
                        }
                    }
                });
            }
        }
    }
}
