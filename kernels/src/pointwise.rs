//! 1×1 convolutions of stride 1: pixels × channels times channels × outputs. Pixels are independent, so they are split into blocks
//! that suit the caches.

use crate::buffer::Buffer;
use crate::microkernel::{
    Bounds, ChannelLayout, MatrixRows, Sink, TilePosition, pack_panels, product, with_height, write,
};
use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Element, Isa, Simd, SimdTask};
use crate::spec::Epilogue;

/// Input or output values per block: few enough to fit an L2 cache together with the weights.
const BLOCK_VALUES: usize = 1 << 15;

/// A pointwise convolution with its weights in panels.
#[derive(Debug)]
pub(crate) struct Pointwise<E = f32> {
    inputs: usize,
    outputs: usize,
    /// [panel][channel][lane], see [`pack_panels`].
    panels: Buffer<E>,
    bias: Buffer<E>,
    bounds: Bounds<E>,
}

impl<E: Element> Pointwise<E> {
    /// Packs `weights`, which are output × channel.
    pub fn new(
        isa: E::Isa,
        inputs: usize,
        outputs: usize,
        weights: &[f32],
        bias: &[f32],
        epilogue: &Epilogue,
    ) -> Self {
        let (panels, bias) =
            (pack_panels(isa.lanes(), inputs, 1, weights), Buffer::padded(bias, isa.lanes()));
        Self { inputs, outputs, panels, bias, bounds: Bounds::of(epilogue) }
    }

    /// Returns the channels per input pixel.
    pub const fn inputs(&self) -> usize {
        self.inputs
    }
}

impl Pointwise {
    /// Computes one image. The slices' lengths must match the shapes.
    pub fn run(&self, isa: Isa, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = SharedOutput::new(output);
        let count = input.len() / self.inputs;
        let block = BLOCK_VALUES / self.inputs.max(self.outputs);
        let rows = isa.rows();
        let block = (block / rows * rows).max(rows);
        parallel::for_each(count.div_ceil(block), |index| {
            let first = index * block;
            let pixels = block.min(count - first);
            let input = &input[first * self.inputs..][..pixels * self.inputs];
            let (run_length, gaps, layout) = (self.inputs, None, ChannelLayout::all_contiguous(self.outputs));
            let sink = Sink::Image { output, residual, accumulate: false };
            isa.run(PointwiseBlock { pointwise: self, input, run_length, sink, layout, first, gaps });
        });
    }
}

/// A run of pixels, written to the output from pixel `first` on.
pub(crate) struct PointwiseBlock<'a, E = f32> {
    pub pointwise: &'a Pointwise<E>,
    pub input: &'a [E],
    /// Number of contiguous channels: all of a pixel's, or blocks of them, one image after the other.
    pub run_length: usize,
    pub sink: Sink<'a, E>,
    pub layout: ChannelLayout,
    pub first: usize,
    /// After each `.0` pixels, the output has a gap of `.1` pixels.
    pub gaps: Option<(usize, usize)>,
}

impl<E: Element> SimdTask<E> for PointwiseBlock<'_, E> {
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
                            s.run(PointwiseTiles::<'_, E, R, 1> { pixels: &self, channel, start, end, gaps });
                        } else {
                            s.run(PointwiseTiles::<'_, E, R, 2> { pixels: &self, channel, start, end, gaps });
                        }
                    });
                }
            }
        }
    }
}

/// Tiles of `R` pixels and `P` vectors of outputs from `channel`, for the pixels from `start` to `end`.
struct PointwiseTiles<'a, E, const R: usize, const P: usize> {
    pixels: &'a PointwiseBlock<'a, E>,
    channel: usize,
    start: usize,
    end: usize,
    /// Total gap pixels before them.
    gaps: usize,
}

impl<E: Element, const R: usize, const P: usize> SimdTask<E> for PointwiseTiles<'_, E, R, P> {
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

impl<E: Element, const R: usize, const P: usize> PointwiseTiles<'_, E, R, P> {
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
        let PointwiseBlock { run_length, layout, sink, .. } = *self.pixels;
        let runs = inputs / run_length;
        let run_step = self.pixels.input.len() / runs;
        let mut offsets = [0; P];
        for vector in 0..P {
            offsets[vector] = layout.offset(self.channel + vector * S::LANES);
        }
        let mut pixel = self.start;
        while pixel + R <= self.end {
            // SAFETY: the pixels are within the run.
            let from =
                unsafe { at(self.pixels.input, pixel * run_length, (runs - 1) * run_step + R * run_length) };
            let rows = MatrixRows { from, step: run_length, runs, run: run_length, run_step };
            // SAFETY: as bounded above.
            let tile: [[S::V; P]; R] = unsafe { product(s, rows, panel, start) };
            let position = TilePosition {
                pixel: self.pixels.first + self.gaps + pixel,
                contiguous: layout.contiguous,
                offsets,
                left: outputs - self.channel,
            };
            // SAFETY: the pixels belong to this run.
            unsafe { write::<S, R, P, FULL>(s, &tile, position, sink, bounds) };
            pixel += R;
        }
    }
}
