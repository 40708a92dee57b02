//! 1×1 convolutions of stride 1: pixels × channels times channels × outputs. Pixels don't meet, so they are cut into
//! blocks as caches like it.

use crate::buffer::Buffer;
use crate::share::{self, Target, at};
use crate::simd::{Path, Simd, Task};
use crate::spec::Epilogue;
use crate::tile::{Rows, for_each_row, panels, product, with_height};

/// Values of a block's pixels, inputs or outputs: few enough for a second-level cache beside the weights.
const BLOCK_VALUES: usize = 1 << 15;

/// A pointwise convolution with its weights in panels.
#[derive(Debug)]
pub(crate) struct Pointwise {
    inputs: usize,
    outputs: usize,
    /// [panel][channel][lane], see [`panels`].
    panels: Buffer,
    bias: Buffer,
    epilogue: Epilogue,
}

impl Pointwise {
    /// `weights` are output × channel.
    pub fn new(
        path: Path,
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: &[f32],
        epilogue: Epilogue,
    ) -> Self {
        let (panels, bias) = (panels(path.lanes(), inputs, 1, weights), Buffer::padded(bias, path.lanes()));
        Self { inputs, outputs, panels, bias, epilogue }
    }

    /// The slices have the lengths that the shapes say.
    pub fn run(&self, path: Path, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = Target::new(output);
        let count = input.len() / self.inputs;
        let block = BLOCK_VALUES / self.inputs.max(self.outputs);
        let rows = path.rows();
        let block = (block / rows * rows).max(rows);
        share::for_each(count.div_ceil(block), |index| {
            let first = index * block;
            let pixels = block.min(count - first);
            let input = &input[first * self.inputs..][..pixels * self.inputs];
            let (block, gaps) = (self.inputs, None);
            path.run(Pixels { pointwise: self, input, block, residual, output, first, gaps, adds: false });
        });
    }
}

/// A run of pixels from place `first` of the output.
pub(crate) struct Pixels<'a> {
    pub pointwise: &'a Pointwise,
    pub input: &'a [f32],
    /// Channels that lie side by side: all of a pixel's, or blocks of them, one image after the other.
    pub block: usize,
    /// An image of the output's shape.
    pub residual: Option<&'a [f32]>,
    pub output: Target<'a>,
    pub first: usize,
    /// Behind so many pixels the output has a gap of so many.
    pub gaps: Option<(usize, usize)>,
    /// The sums are added to what the output holds.
    pub adds: bool,
}

impl Task for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Pointwise { inputs, outputs, .. } = *self.pointwise;
        let count = self.input.len() / inputs;
        let whole = count / S::ROWS * S::ROWS;
        for channel in (0..outputs).step_by(2 * S::LANES) {
            let narrow = outputs - channel <= S::LANES;
            for (height, start, end) in [(S::ROWS, 0, whole), (count - whole, whole, count)] {
                if start == end {
                    continue;
                }
                with_height!(S, height, R => {
                    if narrow {
                        s.run(Tiles::<'_, R, 1> { pixels: &self, channel, start, end });
                    } else {
                        s.run(Tiles::<'_, R, 2> { pixels: &self, channel, start, end });
                    }
                });
            }
        }
    }
}

/// Tiles of `R` pixels and `P` vectors of outputs from `channel`, for the pixels from `start` to `end`.
struct Tiles<'a, const R: usize, const P: usize> {
    pixels: &'a Pixels<'a>,
    channel: usize,
    start: usize,
    end: usize,
}

impl<const R: usize, const P: usize> Task for Tiles<'_, R, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let left = self.pixels.pointwise.outputs - self.channel;
        if left >= P * S::LANES {
            self.tiles::<S, true>(s);
        } else {
            self.tiles::<S, false>(s);
        }
    }
}

impl<const R: usize, const P: usize> Tiles<'_, R, P> {
    #[inline(always)]
    fn tiles<S: Simd, const FULL: bool>(&self, s: S) {
        let Pointwise { inputs, outputs, ref panels, ref bias, .. } = *self.pixels.pointwise;
        let mut start = [s.splat(0.0); P];
        for vector in 0..P {
            // SAFETY: the bias is padded to whole vectors.
            start[vector] = unsafe { s.load(at(bias.floats(), self.channel + vector * S::LANES, S::LANES)) };
        }
        // SAFETY: the panels are whole ones, of all inputs.
        let panel = unsafe { at(panels.floats(), self.channel * inputs, P * S::LANES * inputs) };
        let Pixels { block, .. } = *self.pixels;
        let runs = inputs / block;
        let run_step = self.pixels.input.len() / runs;
        let (line, gap) = self.pixels.gaps.unwrap_or((usize::MAX, 0));
        let mut place = self.pixels.first + self.start + self.start / line * gap;
        let mut left = line - self.start % line;
        let mut pixel = self.start;
        while pixel + R <= self.end {
            // SAFETY: the pixels lie inside the run.
            let from = unsafe { at(self.pixels.input, pixel * block, (runs - 1) * run_step + R * block) };
            let rows = Rows { from, step: block, runs, run: block, run_step };
            // SAFETY: as bounded above.
            let tile: [[S::V; P]; R] = unsafe { product(s, rows, panel, start) };
            let mut places = [0; R];
            for row in 0..R {
                places[row] = place * outputs + self.channel;
                left -= 1;
                place += 1 + if left == 0 { gap } else { 0 };
                left = if left == 0 { line } else { left };
            }
            self.write::<S, FULL>(s, places, &tile);
            pixel += R;
        }
    }

    /// The sums through the epilogue into the output's places. `FULL`: it has all the tile's lanes.
    #[inline(always)]
    fn write<S: Simd, const FULL: bool>(&self, s: S, places: [usize; R], tile: &[[S::V; P]; R]) {
        let Pixels { pointwise, residual, output, adds, .. } = *self.pixels;
        let Pointwise { outputs, epilogue, .. } = pointwise;
        let (low, high) = (s.splat(epilogue.low), s.splat(epilogue.high));
        for_each_row!(R, row => {
            for vector in 0..P {
                let lanes = S::LANES.min((outputs - self.channel).saturating_sub(vector * S::LANES));
                let to = places[row] + vector * S::LANES;
                let mut value = tile[row][vector];
                if adds {
                    // SAFETY: the place is this run's.
                    value = s.add(value, unsafe { s.load_if::<FULL>(output.at(to, lanes), lanes) });
                }
                if let Some(residual) = residual {
                    // SAFETY: the residual has the output's shape.
                    value = s.add(value, unsafe { s.load_if::<FULL>(at(residual, to, lanes), lanes) });
                }
                value = s.at_most(high, s.at_least(low, value));
                // SAFETY: the place is this run's.
                unsafe { s.store_if::<FULL>(output.at(to, lanes), value, lanes) };
            }
        });
    }
}
