//! Transforms sums of products back into the output's tiles and applies the epilogue.

use std::mem::MaybeUninit;

use super::block::TypedTileBlock;
use super::transform::Transform;
use crate::parallel::at;
use crate::simd::Simd;

impl<T: Transform<A, M, R>, const A: usize, const M: usize, const R: usize> TypedTileBlock<'_, T, A, M, R> {
    /// Computes Aᵀ m A of one tile for `width` outputs from `first`, applies the epilogue and writes the output.
    ///
    /// # Safety
    /// `sums` must hold A · A matrices `step` apart, each with more than `tile` rows.
    #[inline(always)]
    pub(super) unsafe fn transform_output<S: Simd<E = f32>>(
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
            // SAFETY: guaranteed by the caller; a whole vector of outputs remains if `FULL`.
            unsafe {
                if outputs - output >= S::LANES {
                    self.output_vector::<S, true>(s, tile, (top, left), channel, output, sums, step);
                } else {
                    self.output_vector::<S, false>(s, tile, (top, left), channel, output, sums, step);
                }
            }
        }
    }

    /// [`Self::transform_output`] for one vector of outputs, from channel `channel` of the group. `FULL`: all lanes are outputs.
    ///
    /// # Safety
    /// As for [`Self::transform_output`]; what `FULL` states must be true.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the body of a loop")]
    unsafe fn output_vector<S: Simd<E = f32>, const FULL: bool>(
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
                // SAFETY: guaranteed by the caller.
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
        // Not folded into the loop bounds with `min`: the loops are unrolled only if their bounds are constant.
        let (rows, columns) = (w.sums.height - top, w.sums.width - left);
        for row in 0..M {
            if row >= rows {
                break;
            }
            let mut m = [s.splat(0.0); A];
            for column in 0..A {
                // SAFETY: every element of `half` was written above.
                m[column] = unsafe { half[column][row].assume_init() };
            }
            let mut values = T::output(s, m);
            for column in 0..M {
                values[column] = s.add(values[column], bias);
                if let Some(residual) = self.block.residual
                    && column < columns
                {
                    let from = ((top + row) * w.sums.width + left + column) * outputs + output;
                    // SAFETY: the residual has the output's shape, and the position is inside it.
                    let residual = unsafe { s.load_if::<FULL>(at(residual, from, lanes), lanes) };
                    values[column] = s.add(values[column], residual);
                }
                values[column] = s.clamp_max(high, s.clamp_min(low, values[column]));
            }
            if !w.epilogue.average_pool {
                for column in 0..M {
                    if column < columns {
                        let to_row = top + row - self.block.top;
                        let to = (to_row * w.sums.width + left + column) * outputs + output;
                        // SAFETY: the position is inside the output and belongs to this tile alone.
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
                        // SAFETY: the position is inside the output and belongs to this tile alone.
                        unsafe { s.store_if::<FULL>(self.block.output.at(to, lanes), mean, lanes) };
                    }
                }
            }
        }
    }
}
