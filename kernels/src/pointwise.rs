//! 1×1 convolutions of stride 1: pixels × channels times channels × outputs. Pixels are independent, so they are split into blocks
//! that suit the caches.

use crate::buffer::Buffer;
use crate::share::{self, Target, at};
use crate::simd::{Element, Path, Simd, Task, Vectors};
use crate::spec::Epilogue;
use crate::tile::{Bounds, Place, Rows, Sink, Split, panels, product, with_height, write};

/// Input or output values per block: few enough to fit an L2 cache together with the weights.
const BLOCK_VALUES: usize = 1 << 15;

/// A pointwise convolution with its weights in panels.
#[derive(Debug)]
pub(crate) struct Pointwise<E = f32> {
    inputs: usize,
    outputs: usize,
    /// [panel][channel][lane], see [`panels`].
    panels: Buffer<E>,
    bias: Buffer<E>,
    bounds: Bounds<E>,
}

impl<E: Element> Pointwise<E> {
    /// Packs `weights`, which are output × channel.
    pub fn new(
        path: E::Path,
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: &[f32],
        epilogue: &Epilogue,
    ) -> Self {
        let (panels, bias) = (panels(path.lanes(), inputs, 1, weights), Buffer::padded(bias, path.lanes()));
        Self { inputs, outputs, panels, bias, bounds: Bounds::of(epilogue) }
    }

    /// Returns the channels per input pixel.
    pub const fn inputs(&self) -> usize {
        self.inputs
    }
}

impl Pointwise {
    /// Computes one image. The slices' lengths must match the shapes.
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
            let sink = Sink::Image { output, residual, adds: false };
            path.run(Pixels { pointwise: self, input, block, sink, split, first, gaps });
        });
    }
}

/// A run of pixels, written to the output from pixel `first` on.
pub(crate) struct Pixels<'a, E = f32> {
    pub pointwise: &'a Pointwise<E>,
    pub input: &'a [E],
    /// Number of contiguous channels: all of a pixel's, or blocks of them, one image after the other.
    pub block: usize,
    pub sink: Sink<'a, E>,
    pub split: Split,
    pub first: usize,
    /// After each `.0` pixels, the output has a gap of `.1` pixels.
    pub gaps: Option<(usize, usize)>,
}

impl<E: Element> Task<E> for Pixels<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Pointwise { inputs, outputs, .. } = *self.pointwise;
        let count = self.input.len() / inputs;
        let (line, gap) = self.gaps.unwrap_or((count, 0));
        // Tiles of nearly equal height, the taller ones first.
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
                            s.run(Tiles::<'_, E, R, 1> { pixels: &self, channel, start, end, gaps });
                        } else {
                            s.run(Tiles::<'_, E, R, 2> { pixels: &self, channel, start, end, gaps });
                        }
                    });
                }
            }
        }
    }
}

/// Tiles of `R` pixels and `P` vectors of outputs from `channel`, for the pixels from `start` to `end`.
struct Tiles<'a, E, const R: usize, const P: usize> {
    pixels: &'a Pixels<'a, E>,
    channel: usize,
    start: usize,
    end: usize,
    /// Total gap pixels before them.
    gaps: usize,
}

impl<E: Element, const R: usize, const P: usize> Task<E> for Tiles<'_, E, R, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let left = self.pixels.pointwise.outputs - self.channel;
        if left >= P * S::LANES {
            self.tiles::<S, true>(s);
        } else {
            self.tiles::<S, false>(s);
        }
    }
}

impl<E: Element, const R: usize, const P: usize> Tiles<'_, E, R, P> {
    #[inline(always)]
    fn tiles<S: Simd<E = E>, const FULL: bool>(&self, s: S) {
        let Pointwise { inputs, outputs, ref panels, ref bias, ref bounds } = *self.pixels.pointwise;
        let mut start = [s.splat(E::default()); P];
        for vector in 0..P {
            // SAFETY: the bias is padded to whole vectors.
            start[vector] = unsafe { s.load(at(bias.floats(), self.channel + vector * S::LANES, S::LANES)) };
        }
        // SAFETY: the panels are complete and cover all inputs.
        let panel = unsafe { at(panels.floats(), self.channel * inputs, P * S::LANES * inputs) };
        let Pixels { block, split, sink, .. } = *self.pixels;
        let runs = inputs / block;
        let run_step = self.pixels.input.len() / runs;
        let mut offsets = [0; P];
        for vector in 0..P {
            offsets[vector] = split.offset(self.channel + vector * S::LANES);
        }
        let mut pixel = self.start;
        while pixel + R <= self.end {
            // SAFETY: the pixels are within the run.
            let from = unsafe { at(self.pixels.input, pixel * block, (runs - 1) * run_step + R * block) };
            let rows = Rows { from, step: block, runs, run: block, run_step };
            // SAFETY: as bounded above.
            let tile: [[S::V; P]; R] = unsafe { product(s, rows, panel, start) };
            let place = Place {
                pixel: self.pixels.first + self.gaps + pixel,
                side_by_side: split.side_by_side,
                offsets,
                left: outputs - self.channel,
            };
            // SAFETY: the pixels belong to this run.
            unsafe { write::<S, R, P, FULL>(s, &tile, place, sink, bounds) };
            pixel += R;
        }
    }
}
