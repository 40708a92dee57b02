//! Depthwise convolution: each channel has a filter of its own, so the lanes are channels.

use crate::buffer::Buffer;
use crate::share::{self, Target, at};
use crate::simd::{LANES, Path, Simd, Task};
use crate::spec::{ConvSpec, Epilogue, Shape};

/// Pixels computed side by side: each weight is loaded once for all of them.
const PIXELS: usize = 4;

/// A depthwise convolution with its weights by place.
#[derive(Debug)]
pub(crate) struct Depthwise {
    spec: ConvSpec,
    sums: Shape,
    epilogue: Epilogue,
    /// [row][column][channel], channels rounded up to whole vectors.
    weights: Buffer,
    bias: Buffer,
    channels: usize,
    /// Columns of sums whose kernel lies between the image's left and right borders: first and the one past the last.
    inner: (usize, usize),
}

impl Depthwise {
    pub fn new(spec: &ConvSpec, sums: Shape, weights: &[f32], bias: &[f32], epilogue: Epilogue) -> Self {
        let channels = sums.channels.next_multiple_of(LANES);
        let mut by_place = Buffer::zeros(channels * spec.taps());
        for (channel, filter) in weights.chunks_exact(spec.taps()).enumerate() {
            for (place, &weight) in filter.iter().enumerate() {
                by_place.floats_mut()[place * channels + channel] = weight;
            }
        }
        let mut padded_bias = Buffer::zeros(channels);
        padded_bias.floats_mut()[..bias.len()].copy_from_slice(bias);
        let ([_, kernel], [_, stride], before) = (spec.kernel, spec.stride, spec.padding[1][0]);
        let last = (spec.input.width + before).checked_sub(kernel).map_or(0, |room| room / stride + 1);
        let last = last.min(sums.width);
        let inner = (before.div_ceil(stride).min(last), last);
        Self { spec: *spec, sums, epilogue, weights: by_place, bias: padded_bias, channels, inner }
    }

    /// The slices have the lengths that the shapes say.
    pub fn run(&self, path: Path, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let output = Target::new(output);
        share::for_each(self.sums.height, |row| match self.spec.kernel[1] {
            3 => path.run(Row::<3> { depthwise: self, input, residual, output, row }),
            5 => path.run(Row::<5> { depthwise: self, input, residual, output, row }),
            _ => path.run(Row::<0> { depthwise: self, input, residual, output, row }),
        });
    }
}

/// One row of sums. `K` is the kernel's width, 0 for any.
struct Row<'a, const K: usize> {
    depthwise: &'a Depthwise,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: Target<'a>,
    row: usize,
}

impl<const K: usize> Task for Row<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let d = self.depthwise;
        let mut channel = 0;
        // Two vectors are a cache line.
        while channel + 2 * LANES <= d.sums.channels {
            self.channels::<S, 2, true>(s, channel);
            channel += 2 * LANES;
        }
        if channel + LANES <= d.sums.channels {
            self.channels::<S, 1, true>(s, channel);
            channel += LANES;
        }
        if channel < d.sums.channels {
            self.channels::<S, 1, false>(s, channel);
        }
    }
}

impl<const K: usize> Row<'_, K> {
    /// The kernel's rows that meet the image: first and the one past the last.
    #[inline(always)]
    fn rows(&self) -> (usize, usize) {
        let spec = &self.depthwise.spec;
        let top = self.row * spec.stride[0];
        let first = spec.padding[0][0].saturating_sub(top);
        let last = (spec.input.height + spec.padding[0][0]).saturating_sub(top).min(spec.kernel[0]);
        (first, last)
    }

    /// The row's sums of `V` vectors of channels. `FULL`: all lanes are channels.
    #[inline(always)]
    fn channels<S: Simd, const V: usize, const FULL: bool>(&self, s: S, channel: usize) {
        let d = self.depthwise;
        let (first, last) = d.inner;
        for column in (0..first).chain(last..d.sums.width) {
            for vector in 0..V {
                self.border(s, channel + vector * LANES, column);
            }
        }
        let mut column = first;
        while column + PIXELS <= last {
            // SAFETY: the kernels of all columns between `first` and `last` lie within the image's.
            unsafe { self.inner::<S, PIXELS, V, FULL>(s, channel, column) };
            column += PIXELS;
        }
        while column < last {
            // SAFETY: as above.
            unsafe { self.inner::<S, 1, V, FULL>(s, channel, column) };
            column += 1;
        }
    }

    /// `P` pixels from `column`, `V` vectors of channels.
    ///
    /// # Safety
    /// The pixels' kernels lie between the image's left and right borders.
    #[inline(always)]
    unsafe fn inner<S: Simd, const P: usize, const V: usize, const FULL: bool>(
        &self,
        s: S,
        channel: usize,
        column: usize,
    ) {
        let d = self.depthwise;
        let Shape { width, channels, .. } = d.spec.input;
        let kernel_width = if K == 0 { d.spec.kernel[1] } else { K };
        let lanes = LANES.min(channels - channel);
        let step = d.spec.stride[1] * channels;
        let (first, last) = self.rows();
        let mut sums = [[s.splat(0.0); V]; P];
        for vector in 0..V {
            // SAFETY: the bias is padded to whole vectors.
            let bias = unsafe { s.load(at(d.bias.floats(), channel + vector * LANES, LANES)) };
            for pixel in 0..P {
                sums[pixel][vector] = bias;
            }
        }
        for y in first..last {
            let image_row = self.row * d.spec.stride[0] + y - d.spec.padding[0][0];
            let left = column * d.spec.stride[1] - d.spec.padding[1][0];
            for x in 0..kernel_width {
                let place = (y * kernel_width + x) * d.channels + channel;
                let from = (image_row * width + left + x) * channels + channel;
                for vector in 0..V {
                    // SAFETY: the weights have a padded pixel for each of the kernel's places.
                    let weight = unsafe { s.load(at(d.weights.floats(), place + vector * LANES, LANES)) };
                    for pixel in 0..P {
                        let from = from + pixel * step + vector * LANES;
                        // SAFETY: the caller's promise for the columns, `rows` for the rows.
                        let value = unsafe { s.load_if::<FULL>(at(self.input, from, lanes), lanes) };
                        sums[pixel][vector] = s.fma(value, weight, sums[pixel][vector]);
                    }
                }
            }
        }
        for pixel in 0..P {
            for vector in 0..V {
                self.write::<S, FULL>(s, channel + vector * LANES, column + pixel, sums[pixel][vector]);
            }
        }
    }

    /// A pixel whose kernel crosses the image's left or right border.
    #[inline(always)]
    fn border<S: Simd>(&self, s: S, channel: usize, column: usize) {
        let d = self.depthwise;
        let Shape { width, channels, .. } = d.spec.input;
        let lanes = LANES.min(channels - channel);
        let (first, last) = self.rows();
        // SAFETY: the bias is padded to whole vectors.
        let mut sum = unsafe { s.load(at(d.bias.floats(), channel, LANES)) };
        for y in first..last {
            let image_row = self.row * d.spec.stride[0] + y - d.spec.padding[0][0];
            for x in 0..d.spec.kernel[1] {
                let image_column = (column * d.spec.stride[1] + x).wrapping_sub(d.spec.padding[1][0]);
                if image_column < width {
                    let place = (y * d.spec.kernel[1] + x) * d.channels + channel;
                    let from = (image_row * width + image_column) * channels + channel;
                    // SAFETY: the pixel lies inside the image; the weights are padded to whole vectors.
                    let (weight, value) = unsafe {
                        let weight = s.load(at(d.weights.floats(), place, LANES));
                        (weight, s.load_some(at(self.input, from, lanes), lanes))
                    };
                    sum = s.fma(value, weight, sum);
                }
            }
        }
        self.write::<S, false>(s, channel, column, sum);
    }

    #[inline(always)]
    fn write<S: Simd, const FULL: bool>(&self, s: S, channel: usize, column: usize, sum: S::V) {
        let d = self.depthwise;
        let channels = d.sums.channels;
        let lanes = LANES.min(channels - channel);
        let to = (self.row * d.sums.width + column) * channels + channel;
        let mut value = sum;
        if let Some(residual) = self.residual {
            // SAFETY: the residual has the output's shape.
            value = s.add(value, unsafe { s.load_if::<FULL>(at(residual, to, lanes), lanes) });
        }
        value = s.at_most(s.splat(d.epilogue.high), s.at_least(s.splat(d.epilogue.low), value));
        // SAFETY: the row is this task's.
        unsafe { s.store_if::<FULL>(self.output.at(to, lanes), value, lanes) };
    }
}
