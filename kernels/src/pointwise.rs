//! 1×1 convolutions of stride 1: pixels × channels times channels × outputs. Pixels don't meet, so they are cut into
//! blocks as caches like it.

use crate::buffer::Buffer;
use crate::share::{self, Target, at};
use crate::simd::{Path, Simd, Task};
use crate::spec::Epilogue;
use crate::tile::{Rows, Split, for_each_row, panels, product, with_height};

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

    /// Channels of a pixel.
    pub const fn inputs(&self) -> usize {
        self.inputs
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
            let (block, gaps, split) = (self.inputs, None, Split::none(self.outputs));
            path.run(Pixels {
                pointwise: self,
                input,
                block,
                residual,
                output,
                split,
                first,
                gaps,
                adds: false,
            });
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
    pub split: Split,
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
        let (line, gap) = self.gaps.unwrap_or((count, 0));
        // Tiles of nearly the same height: the higher ones first.
        let tiles = line.div_ceil(S::ROWS).max(1);
        let (height, higher) = (line / tiles, line % tiles);
        let middle = higher * (height + 1);
        for channel in (0..outputs).step_by(2 * S::LANES) {
            let narrow = outputs - channel <= S::LANES;
            for (index, pixel) in (0..count).step_by(line).enumerate() {
                let gaps = index * gap;
                for (height, start, end) in [(height + 1, 0, middle), (height, middle, line)] {
                    if start == end {
                        continue;
                    }
                    let (start, end) = (pixel + start, pixel + end);
                    with_height!(S, height, R => {
                        if narrow {
                            s.run(Tiles::<'_, R, 1> { pixels: &self, channel, start, end, gaps });
                        } else {
                            s.run(Tiles::<'_, R, 2> { pixels: &self, channel, start, end, gaps });
                        }
                    });
                }
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
    /// Pixels of the gaps before them.
    gaps: usize,
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
        let Pointwise { inputs, ref panels, ref bias, .. } = *self.pixels.pointwise;
        let mut start = [s.splat(0.0); P];
        for vector in 0..P {
            // SAFETY: the bias is padded to whole vectors.
            start[vector] = unsafe { s.load(at(bias.floats(), self.channel + vector * S::LANES, S::LANES)) };
        }
        // SAFETY: the panels are whole ones, of all inputs.
        let panel = unsafe { at(panels.floats(), self.channel * inputs, P * S::LANES * inputs) };
        let Pixels { block, split, .. } = *self.pixels;
        let runs = inputs / block;
        let run_step = self.pixels.input.len() / runs;
        let mut offsets = [0; P];
        for vector in 0..P {
            offsets[vector] = split.offset(self.channel + vector * S::LANES);
        }
        let mut pixel = self.start;
        while pixel + R <= self.end {
            // SAFETY: the pixels lie inside the run.
            let from = unsafe { at(self.pixels.input, pixel * block, (runs - 1) * run_step + R * block) };
            let rows = Rows { from, step: block, runs, run: block, run_step };
            // SAFETY: as bounded above.
            let tile: [[S::V; P]; R] = unsafe { product(s, rows, panel, start) };
            let place = self.pixels.first + self.gaps + pixel;
            self.write::<S, FULL>(s, place, offsets, &tile);
            pixel += R;
        }
    }

    /// The sums through the epilogue into the output from pixel `place` on, the vectors at their offsets. `FULL`: it has all
    /// the tile's lanes.
    #[inline(always)]
    fn write<S: Simd, const FULL: bool>(
        &self,
        s: S,
        place: usize,
        offsets: [usize; P],
        tile: &[[S::V; P]; R],
    ) {
        let Pixels { pointwise, residual, output, split, adds, .. } = *self.pixels;
        let Pointwise { outputs, epilogue, .. } = pointwise;
        let (low, high) = (s.splat(epilogue.low), s.splat(epilogue.high));
        for_each_row!(R, row => {
            for vector in 0..P {
                let lanes = S::LANES.min((outputs - self.channel).saturating_sub(vector * S::LANES));
                let to = (place + row) * split.side_by_side + offsets[vector];
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
