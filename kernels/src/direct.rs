//! Direct convolution as a matrix product, without im2col: with channels last, a kernel row covers one contiguous run of the image's
//! floats. Blocks of rows that need padding or are planar are copied into the thread's scratch space.

use crate::buffer::{Buffer, with_scratch};
use crate::microkernel::{
    Bounds, ChannelLayout, MatrixRows, Sink, TilePosition, pack_panels, product, split_evenly, with_height,
    write,
};
use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Element, Isa, Simd, SimdTask};
use crate::spec::{ConvSpec, Epilogue, Layout, Shape};

/// Sums per block, over all outputs: enough to outweigh the block's overhead, few enough for an L2 cache.
const BLOCK_SUMS: usize = 1 << 15;

/// A dense convolution with its weights in panels.
#[derive(Debug)]
pub(crate) struct Direct<E = f32> {
    spec: ConvSpec,
    sums: Shape,
    average_pool: bool,
    bounds: Bounds<E>,
    /// Weights per filter.
    taps: usize,
    /// [panel][row][column][channel][lane], see [`pack_panels`].
    panels: Buffer<E>,
    bias: Buffer<E>,
    /// Rows of sums per block; an even number if the sums are pooled.
    block_rows: usize,
}

impl<E: Element> Direct<E> {
    pub fn new(
        isa: E::Isa,
        spec: &ConvSpec,
        sums: Shape,
        weights: &[f32],
        bias: &[f32],
        epilogue: &Epilogue,
    ) -> Self {
        let mut sums = sums;
        if epilogue.average_pool {
            (sums.width, sums.height) = (sums.width / 2 * 2, sums.height / 2 * 2);
        }
        let rows = BLOCK_SUMS / (sums.width * sums.channels).max(1);
        let rows = rows.clamp(1, sums.height.max(1));
        let block_rows = if epilogue.average_pool { rows.next_multiple_of(2) } else { rows };
        let panels = pack_panels(isa.lanes(), spec.input.channels, spec.kernel[0] * spec.kernel[1], weights);
        let (bias, bounds) = (Buffer::padded(bias, isa.lanes()), Bounds::of(epilogue));
        let average_pool = epilogue.average_pool;
        Self { panels, spec: *spec, sums, average_pool, bounds, taps: spec.taps(), bias, block_rows }
    }

    fn is_copied(&self) -> bool {
        self.spec.layout == Layout::Planar || self.spec.padding != [[0, 0], [0, 0]]
    }

    /// Returns the pixels in a row, including padding.
    fn padded_width(&self) -> usize {
        self.spec.input.width + self.spec.padding[1][0] + self.spec.padding[1][1]
    }

    /// Returns the scratch floats that [`Self::input_rows`] needs for `rows` rows of sums.
    pub fn copy_length(&self, rows: usize) -> usize {
        if self.is_copied() { self.input_length(rows) } else { 0 }
    }

    /// Returns the number of floats that [`Self::input_rows`] returns for `rows` rows of sums.
    pub fn input_length(&self, rows: usize) -> usize {
        let rows = (rows - 1) * self.spec.stride[0] + self.spec.kernel[0];
        rows * self.padded_width() * self.spec.input.channels
    }

    /// Returns the floats of a block's sums before pooling; 0 if they are not pooled.
    fn unpooled_length(&self) -> usize {
        if self.average_pool { self.block_rows * self.sums.width * self.sums.channels } else { 0 }
    }

    /// Returns the image rows read by `rows` rows of sums from row `first`, channels last and padded with zeros. They are copied into
    /// `copy` if the image isn't stored that way.
    pub fn input_rows<'a>(
        &self,
        input: &'a [f32],
        first: usize,
        rows: usize,
        copy: &'a mut [f32],
    ) -> &'a [f32] {
        let spec = &self.spec;
        let Shape { height, width, channels } = spec.input;
        let count = (rows - 1) * spec.stride[0] + spec.kernel[0];
        if !self.is_copied() {
            return &input[first * spec.stride[0] * width * channels..][..count * width * channels];
        }
        let padded = self.padded_width();
        let top = (first * spec.stride[0]).wrapping_sub(spec.padding[0][0]);
        let (before, after) = (spec.padding[1][0] * channels, spec.padding[1][1] * channels);
        for (index, target) in copy.chunks_exact_mut(padded * channels).take(count).enumerate() {
            let y = top.wrapping_add(index);
            if y >= height {
                target.fill(0.0);
                continue;
            }
            let inner = before..target.len() - after;
            target[..inner.start].fill(0.0);
            target[inner.end..].fill(0.0);
            let target = &mut target[inner];
            match spec.layout {
                Layout::ChannelsLast => {
                    target.copy_from_slice(&input[y * width * channels..][..width * channels]);
                }
                Layout::Planar if channels == 3 => {
                    let row = |channel: usize| &input[(channel * height + y) * width..][..width];
                    let values = row(0).iter().zip(row(1)).zip(row(2));
                    for (pixel, ((&red, &green), &blue)) in target.chunks_exact_mut(3).zip(values) {
                        pixel.copy_from_slice(&[red, green, blue]);
                    }
                }
                Layout::Planar => {
                    for channel in 0..channels {
                        let row = &input[(channel * height + y) * width..][..width];
                        let samples = target.iter_mut().skip(channel).step_by(channels);
                        samples.zip(row).for_each(|(to, &value)| *to = value);
                    }
                }
            }
        }
        copy
    }
}

impl Direct {
    /// Computes one image. The slices' lengths must match the shapes.
    pub fn run(&self, isa: Isa, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = SharedOutput::new(output);
        let copied = self.copy_length(self.block_rows).next_multiple_of(16);
        parallel::for_each(self.sums.height.div_ceil(self.block_rows), |block| {
            let first = block * self.block_rows;
            let rows = self.block_rows.min(self.sums.height - first);
            with_scratch(copied + self.unpooled_length(), |scratch| {
                let (copy, pooled) = scratch.split_at_mut(copied);
                isa.run(DirectBlock { direct: self, input, residual, output, first, rows, copy, pooled });
            });
        });
    }
}

/// `R` pixels and `P` vectors of outputs from `first`. Created only by [`DirectSums`], which guarantees that the positions are its own
/// and that the rows are in bounds.
struct DirectTile<'a, E, const R: usize, const P: usize> {
    direct: &'a Direct<E>,
    rows: MatrixRows<E>,
    sink: Sink<'a, E>,
    position: TilePosition<P>,
    first: usize,
}

impl<E: Element, const R: usize, const P: usize> SimdTask<E> for DirectTile<'_, E, R, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Self { direct: d, rows, sink, position, first } = self;
        let mut start = [s.splat(E::default()); P];
        for vector in 0..P {
            // SAFETY: the bias is padded to whole vectors.
            start[vector] = unsafe { s.load(at(d.bias.floats(), first + vector * S::LANES, S::LANES)) };
        }
        // SAFETY: the panels are complete and cover all taps; `DirectSums` has checked the rows' bounds.
        let tile: [[S::V; P]; R] = unsafe {
            let panel = at(d.panels.floats(), first * d.taps, P * S::LANES * d.taps);
            product(s, rows, panel, start)
        };
        // SAFETY: the positions belong to the block.
        unsafe {
            if position.left >= P * S::LANES {
                write::<S, R, P, true>(s, &tile, position, sink, &d.bounds);
            } else {
                write::<S, R, P, false>(s, &tile, position, sink, &d.bounds);
            }
        }
    }
}

/// Some rows of sums.
pub(crate) struct DirectSums<'a, E = f32> {
    pub direct: &'a Direct<E>,
    /// The result of [`Direct::input_rows`] for these rows.
    pub input: &'a [E],
    pub rows: usize,
    pub sink: Sink<'a, E>,
    pub layout: ChannelLayout,
    /// The first sum's pixel index in the output.
    pub first_pixel: usize,
    /// Pixels from one row to the next.
    pub row_step: usize,
}

impl<E: Element> SimdTask<E> for DirectSums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Self { direct: d, input, sink, layout, .. } = self;
        let stride = d.spec.stride;
        let (width, channels) = (d.padded_width(), d.spec.input.channels);
        let run = d.spec.kernel[1] * channels;
        let last = (d.spec.kernel[0] - 1) * width * channels + run;
        let step = stride[1] * channels;
        let contiguous = layout.contiguous;
        for first in (0..d.sums.channels).step_by(2 * S::LANES) {
            let left = d.sums.channels - first;
            let offsets = [first, first + S::LANES].map(|channel| layout.offset(channel));
            for row in 0..self.rows {
                for (start, count) in split_evenly(d.sums.width, S::ROWS) {
                    let from = row * stride[0] * width * channels + start * step;
                    // SAFETY: the sums' shape ensures that every kernel is within the padded rows.
                    let from = unsafe { at(input, from, (count - 1) * step + last) };
                    let rows =
                        MatrixRows { from, step, runs: d.spec.kernel[0], run, run_step: width * channels };
                    let pixel = self.first_pixel + row * self.row_step + start;
                    with_height!(S, count, R => {
                        if left > S::LANES {
                            let position = TilePosition { pixel, contiguous, offsets, left };
                            s.run(DirectTile::<'_, E, R, 2> { direct: d, rows, sink, position, first });
                        } else {
                            let position = TilePosition { pixel, contiguous, offsets: [offsets[0]], left };
                            s.run(DirectTile::<'_, E, R, 1> { direct: d, rows, sink, position, first });
                        }
                    });
                }
            }
        }
    }
}

struct DirectBlock<'a> {
    direct: &'a Direct,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: SharedOutput<'a>,
    /// First row of sums.
    first: usize,
    rows: usize,
    copy: &'a mut [f32],
    pooled: &'a mut [f32],
}

impl SimdTask for DirectBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(mut self, s: S) {
        let Self { direct, rows, residual, .. } = self;
        let input = direct.input_rows(self.input, self.first, rows, std::mem::take(&mut self.copy));
        let pool = direct.average_pool;
        let pooled = SharedOutput::new(std::mem::take(&mut self.pooled));
        let (output, first) = if pool { (pooled, 0) } else { (self.output, self.first) };
        let (row_step, layout) = (direct.sums.width, ChannelLayout::all_contiguous(direct.sums.channels));
        let sink = Sink::Image { output, residual, accumulate: false };
        s.run(DirectSums { direct, input, rows, sink, layout, first_pixel: first * row_step, row_step });
        if pool {
            self.pool(s, output);
        }
    }
}

impl DirectBlock<'_> {
    /// Writes the means of 2 × 2 sums to the output.
    #[inline(always)]
    fn pool<S: Simd<E = f32>>(&self, s: S, sums: SharedOutput<'_>) {
        let Shape { width, channels, .. } = self.direct.sums;
        for row in 0..self.rows / 2 {
            for column in 0..width / 2 {
                for channel in (0..channels).step_by(S::LANES) {
                    let lanes = S::LANES.min(channels - channel);
                    let upper = (2 * row * width + 2 * column) * channels + channel;
                    let to = ((self.first / 2 + row) * (width / 2) + column) * channels + channel;
                    let lower = upper + width * channels;
                    let mut sum = s.splat(0.0);
                    for from in [upper, upper + channels, lower, lower + channels] {
                        // SAFETY: the four sums are within the block's.
                        sum = s.add(sum, unsafe { s.load_some(sums.at(from, lanes), lanes) });
                    }
                    let mean = s.mul(sum, s.splat(0.25));
                    // SAFETY: the mean's position belongs to this block.
                    unsafe {
                        s.store_some(self.output.at(to, lanes), mean, lanes);
                    }
                }
            }
        }
    }
}
