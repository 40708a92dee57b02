//! Transforms tiles of the input image.

use std::mem::MaybeUninit;

use super::block::TypedTileBlock;
use super::transform::Transform;
use crate::parallel::{at, at_mut};
use crate::simd::Simd;

impl<T: Transform<A, M, R>, const A: usize, const M: usize, const R: usize> TypedTileBlock<'_, T, A, M, R> {
    /// Computes Bᵀ d B of one tile for all channels: one row of each of the A · A matrices.
    ///
    /// # Safety
    /// `transformed` must have room for A · A matrices `step` apart, each with more than `tile` rows of the rounded channels.
    #[inline(always)]
    pub(super) unsafe fn transform_input<S: Simd<E = f32>>(
        &self,
        s: S,
        tile: usize,
        transformed: &mut [f32],
        step: usize,
    ) {
        let w = self.block.winograd;
        let (height, width, channels) = (w.input.height, w.input.width, w.input.channels);
        let (top, left) = self.origin(tile);
        let (top, left) = (top * T::STRIDE, left * T::STRIDE);
        // Wrapping: coordinates above or left of the image become larger than any side.
        let (top, left) = (top.wrapping_sub(w.before[0]), left.wrapping_sub(w.before[1]));
        let inside = |start: usize, side: usize| start < side && start + A <= side;
        let inside = inside(top, height) && inside(left, width);
        let origin = (top, left);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: guaranteed by the caller; a whole vector of channels remains if `FULL`, and the tile is inside if `INSIDE`.
            unsafe {
                match (channels - channel >= S::LANES, inside) {
                    (true, true) => {
                        self.transform_vector::<S, true, true>(s, tile, channel, origin, transformed, step);
                    }
                    (true, false) => {
                        self.transform_vector::<S, true, false>(s, tile, channel, origin, transformed, step);
                    }
                    _ => {
                        self.transform_vector::<S, false, false>(s, tile, channel, origin, transformed, step)
                    }
                }
            }
        }
    }

    /// [`Self::transform_input`] for one vector of channels. `FULL`: all its lanes are channels; `INSIDE`: the whole tile, whose
    /// coordinates wrap around, is inside the image.
    ///
    /// # Safety
    /// As for [`Self::transform_input`]; what `FULL` and `INSIDE` state must be true.
    #[inline(always)]
    unsafe fn transform_vector<S: Simd<E = f32>, const FULL: bool, const INSIDE: bool>(
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
                    // SAFETY: the pixel is inside the image, and `lanes` of its channels remain.
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
                // SAFETY: every element of `half` was written above.
                d[column] = unsafe { half[column][row].assume_init() };
            }
            let values = T::input(s, d);
            for column in 0..A {
                let to = (row * A + column) * step + tile * w.channels + channel;
                // SAFETY: guaranteed by the caller.
                unsafe { s.store(at_mut(transformed, to, S::LANES), values[column]) };
            }
        }
    }
}
