//! Depthwise convolution: each channel has its own filter, so lanes are channels.

use crate::buffer::Buffer;
use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Element, Isa, Simd, SimdTask};
use crate::spec::{ConvSpec, Epilogue, Shape};

/// Vectors of sums computed in parallel: enough to hide the latency of an addition.
const SUMS: usize = 8;
/// Number of channels for which a specialised kernel is compiled: a cache line.
pub(crate) const CHANNEL_BLOCK: usize = 16;

/// A depthwise convolution with its weights grouped by kernel position.
#[derive(Debug)]
pub(crate) struct Depthwise<E = f32> {
    spec: ConvSpec,
    sums: Shape,
    low: E,
    high: E,
    /// [row][column][channel], channels rounded up to whole vectors.
    weights: Buffer<E>,
    bias: Buffer<E>,
    channels: usize,
    /// Columns of sums whose kernel is between the image's left and right borders, as start and end (exclusive).
    inner: (usize, usize),
}

impl<E: Element> Depthwise<E> {
    pub fn new(
        isa: E::Isa,
        spec: &ConvSpec,
        sums: Shape,
        weights: &[f32],
        bias: &[f32],
        epilogue: &Epilogue,
    ) -> Self {
        let channels = sums.channels.next_multiple_of(isa.lanes());
        let mut by_position = Buffer::zeros(channels * spec.taps());
        for (channel, filter) in weights.chunks_exact(spec.taps()).enumerate() {
            for (position, &weight) in filter.iter().enumerate() {
                by_position.floats_mut()[position * channels + channel] = E::nearest(weight);
            }
        }
        let bias = Buffer::padded(bias, isa.lanes());
        let ([_, kernel], [_, stride], before) = (spec.kernel, spec.stride, spec.padding[1][0]);
        let last = (spec.input.width + before).checked_sub(kernel).map_or(0, |extent| extent / stride + 1);
        let last = last.min(sums.width);
        let inner = (before.div_ceil(stride).min(last), last);
        let (low, high) = (E::nearest(epilogue.low), E::nearest(epilogue.high));
        Self { spec: *spec, sums, low, high, weights: by_position, bias, channels, inner }
    }

    /// Returns the image rows that a row of sums reads, as start and end (exclusive).
    pub fn input_rows(&self, row: usize) -> (usize, usize) {
        let top = row * self.spec.stride[0];
        let (before, height) = (self.spec.padding[0][0], self.spec.input.height);
        let end = (top + self.spec.kernel[0]).saturating_sub(before).min(height);
        (top.saturating_sub(before).min(end), end)
    }
}

impl Depthwise {
    /// Computes one image. The slices' lengths must match the shapes.
    pub fn run(&self, isa: Isa, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = SharedOutput::new(output);
        parallel::for_each(self.sums.height, |row| {
            isa.run(DepthwiseRow { depthwise: self, input, top: 0, residual, output, row, to: row });
        });
    }
}

/// One row of sums.
pub(crate) struct DepthwiseRow<'a, E = f32> {
    pub depthwise: &'a Depthwise<E>,
    /// The image from row `top` on, with at least the rows that are read.
    pub input: &'a [E],
    pub top: usize,
    /// An image of the output's shape.
    pub residual: Option<&'a [E]>,
    pub output: SharedOutput<'a, E>,
    /// The index of the row of sums.
    pub row: usize,
    /// The output row that it is written to.
    pub to: usize,
}

impl<E: Element> SimdTask<E> for DepthwiseRow<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let spec = &self.depthwise.spec;
        match (spec.kernel[1], spec.stride[1], spec.input.channels) {
            (3, 1, CHANNEL_BLOCK) => s.run(DepthwiseSums::<_, 3, 1, CHANNEL_BLOCK>(self)),
            (3, 2, CHANNEL_BLOCK) => s.run(DepthwiseSums::<_, 3, 2, CHANNEL_BLOCK>(self)),
            (5, 1, CHANNEL_BLOCK) => s.run(DepthwiseSums::<_, 5, 1, CHANNEL_BLOCK>(self)),
            (5, 2, CHANNEL_BLOCK) => s.run(DepthwiseSums::<_, 5, 2, CHANNEL_BLOCK>(self)),
            (3, ..) => s.run(DepthwiseSums::<_, 3, 0, 0>(self)),
            (5, ..) => s.run(DepthwiseSums::<_, 5, 0, 0>(self)),
            _ => s.run(DepthwiseSums::<_, 0, 0, 0>(self)),
        }
    }
}

/// A row with kernel width `K`, horizontal stride `T` and `C` channels; 0 stands for any value. With known values, the innermost loop
/// computes no addresses.
struct DepthwiseSums<'a, E, const K: usize, const T: usize, const C: usize>(DepthwiseRow<'a, E>);

/// Values shared by all pixels of a row.
#[derive(Clone, Copy)]
struct Common<V> {
    /// The kernel rows that overlap the image, as start and end (exclusive).
    rows: (usize, usize),
    low: V,
    high: V,
}

#[inline(always)]
const fn const_or<const N: usize>(value: usize) -> usize {
    if N == 0 { value } else { N }
}

impl<E: Element, const K: usize, const T: usize, const C: usize> SimdTask<E>
    for DepthwiseSums<'_, E, K, T, C>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let d = self.0.depthwise;
        let mut channel = 0;
        while channel + 2 * S::LANES <= d.sums.channels {
            self.channels::<S, { SUMS / 2 }, 2, true>(s, channel);
            channel += 2 * S::LANES;
        }
        if channel + S::LANES <= d.sums.channels {
            self.channels::<S, SUMS, 1, true>(s, channel);
            channel += S::LANES;
        }
        if channel < d.sums.channels {
            self.channels::<S, SUMS, 1, false>(s, channel);
        }
    }
}

impl<E: Element, const K: usize, const T: usize, const C: usize> DepthwiseSums<'_, E, K, T, C> {
    /// Returns the kernel rows that overlap the image, as start and end (exclusive).
    #[inline(always)]
    fn rows(&self) -> (usize, usize) {
        let spec = &self.0.depthwise.spec;
        let top = self.0.row * spec.stride[0];
        let first = spec.padding[0][0].saturating_sub(top);
        let last = (spec.input.height + spec.padding[0][0]).saturating_sub(top).min(spec.kernel[0]);
        (first, last)
    }

    /// Computes the row's sums for `V` vectors of channels, `P` pixels at a time, so that each weight is loaded once for all of them.
    /// `FULL`: all lanes are channels.
    #[inline(always)]
    fn channels<S: Simd<E = E>, const P: usize, const V: usize, const FULL: bool>(
        &self,
        s: S,
        channel: usize,
    ) {
        let d = self.0.depthwise;
        // Computed once, here: the compiler can't know that writes to the output don't change them.
        let common = Common { rows: self.rows(), low: s.splat(d.low), high: s.splat(d.high) };
        let (first, last) = d.inner;
        for column in (0..first).chain(last..d.sums.width) {
            for vector in 0..V {
                self.border(s, channel + vector * S::LANES, column, common);
            }
        }
        let mut column = first;
        while column + P <= last {
            // SAFETY: the kernels of all columns between `first` and `last` are within the image's columns.
            unsafe { self.inner::<S, P, V, FULL>(s, channel, column, common) };
            column += P;
        }
        while column < last {
            // SAFETY: as above.
            unsafe { self.inner::<S, 1, V, FULL>(s, channel, column, common) };
            column += 1;
        }
    }

    /// Computes `P` pixels from `column` and `V` vectors of channels.
    ///
    /// # Safety
    /// The pixels' kernels must be between the image's left and right borders.
    #[inline(always)]
    unsafe fn inner<S: Simd<E = E>, const P: usize, const V: usize, const FULL: bool>(
        &self,
        s: S,
        channel: usize,
        column: usize,
        common: Common<S::V>,
    ) {
        let d = self.0.depthwise;
        let Shape { width, channels, .. } = d.spec.input;
        let channels = const_or::<C>(channels);
        let (kernel_width, stride) = (const_or::<K>(d.spec.kernel[1]), const_or::<T>(d.spec.stride[1]));
        let lanes = S::LANES.min(channels - channel);
        let step = stride * channels;
        let (first, last) = common.rows;
        let mut sums = [[s.splat(E::default()); V]; P];
        for vector in 0..V {
            // SAFETY: the bias is padded to whole vectors.
            let bias = unsafe { s.load(at(d.bias.floats(), channel + vector * S::LANES, S::LANES)) };
            for pixel in 0..P {
                sums[pixel][vector] = bias;
            }
        }
        for y in first..last {
            let image_row = self.0.row * d.spec.stride[0] + y - d.spec.padding[0][0];
            let left = column * stride - d.spec.padding[1][0];
            for x in 0..kernel_width {
                let index = (y * kernel_width + x) * const_or::<C>(d.channels) + channel;
                let from = ((image_row - self.0.top) * width + left + x) * channels + channel;
                for vector in 0..V {
                    // SAFETY: the weights have a padded pixel for each kernel position.
                    let weight =
                        unsafe { s.load(at(d.weights.floats(), index + vector * S::LANES, S::LANES)) };
                    for pixel in 0..P {
                        let from = from + pixel * step + vector * S::LANES;
                        // SAFETY: the caller guarantees the columns, and `rows` bounds the rows.
                        let value = unsafe { s.load_if::<FULL>(at(self.0.input, from, lanes), lanes) };
                        sums[pixel][vector] = s.fma(value, weight, sums[pixel][vector]);
                    }
                }
            }
        }
        let index = (self.0.to * d.sums.width + column) * channels + channel;
        for pixel in 0..P {
            for vector in 0..V {
                let index = index + pixel * channels + vector * S::LANES;
                self.write::<S, FULL>(s, index, lanes, sums[pixel][vector], common);
            }
        }
    }

    /// Computes a pixel whose kernel crosses the image's left or right border.
    #[inline(always)]
    fn border<S: Simd<E = E>>(&self, s: S, channel: usize, column: usize, common: Common<S::V>) {
        let d = self.0.depthwise;
        let Shape { width, channels, .. } = d.spec.input;
        let lanes = S::LANES.min(channels - channel);
        let (first, last) = common.rows;
        // SAFETY: the bias is padded to whole vectors.
        let mut sum = unsafe { s.load(at(d.bias.floats(), channel, S::LANES)) };
        for y in first..last {
            let image_row = self.0.row * d.spec.stride[0] + y - d.spec.padding[0][0];
            for x in 0..d.spec.kernel[1] {
                let image_column = (column * d.spec.stride[1] + x).wrapping_sub(d.spec.padding[1][0]);
                if image_column < width {
                    let index = (y * d.spec.kernel[1] + x) * d.channels + channel;
                    let from = ((image_row - self.0.top) * width + image_column) * channels + channel;
                    // SAFETY: the pixel is inside the image; the weights are padded to whole vectors.
                    let (weight, value) = unsafe {
                        let weight = s.load(at(d.weights.floats(), index, S::LANES));
                        (weight, s.load_some(at(self.0.input, from, lanes), lanes))
                    };
                    sum = s.fma(value, weight, sum);
                }
            }
        }
        let index = (self.0.to * d.sums.width + column) * channels + channel;
        self.write::<S, false>(s, index, lanes, sum, common);
    }

    /// Applies the epilogue to a sum and writes it to the output at `index`.
    #[inline(always)]
    fn write<S: Simd<E = E>, const FULL: bool>(
        &self,
        s: S,
        index: usize,
        lanes: usize,
        sum: S::V,
        Common { low, high, .. }: Common<S::V>,
    ) {
        let mut value = sum;
        if let Some(residual) = self.0.residual {
            // SAFETY: the residual has the output's shape.
            value = s.add(value, unsafe { s.load_if::<FULL>(at(residual, index, lanes), lanes) });
        }
        value = s.clamp_max(high, s.clamp_min(low, value));
        // SAFETY: the row belongs to this task.
        unsafe { s.store_if::<FULL>(self.0.output.at(index, lanes), value, lanes) };
    }
}
