//! Max pooling.

use crate::parallel::{self, SharedOutput, at};
use crate::simd::{Dispatch, Isa, Simd, SimdTask};
use crate::spec::{ConvSpec, Error, Shape, check_length};

/// ONNX's `MaxPool` of one image, channels last; pixels beyond the border are ignored.
#[derive(Debug, Clone)]
pub struct MaxPool {
    spec: ConvSpec,
    output: Shape,
    isa: Isa,
}

impl MaxPool {
    /// Creates the pooling; `spec` gives the window as a depthwise convolution's kernel.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for shapes that don't fit together, or a window that can lie entirely beyond the border.
    pub fn new(spec: ConvSpec, isa: Isa) -> Result<Self, Error> {
        let output = spec.sums()?;
        let beyond =
            (0..2).any(|axis| spec.padding[axis].iter().any(|&padding| padding >= spec.kernel[axis]));
        if !spec.depthwise || beyond {
            return Err(Error::Unsupported(format!("max pooling as in {spec:?}")));
        }
        Ok(Self { spec, output, isa })
    }

    /// Returns the shape of the output.
    #[must_use]
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Returns the shape of the input.
    pub(crate) const fn input(&self) -> Shape {
        self.spec.input
    }

    /// Returns the image rows that an output row reads, as start and end (exclusive).
    pub(crate) fn input_rows(&self, row: usize) -> (usize, usize) {
        window(row, 0, &self.spec, self.spec.input.height)
    }

    /// Returns the number of rows in a window.
    pub(crate) const fn window_rows(&self) -> usize {
        self.spec.kernel[0]
    }

    /// Computes one image, channels last.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice's length doesn't match the shapes.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        check_length("input", self.spec.input.len(), input)?;
        check_length("output", self.output.len(), output)?;
        let output = SharedOutput::new(output);
        parallel::for_each(self.output.height, |row| {
            self.isa.run(MaxPoolRow { pool: self, input, top: 0, output, row });
        });
        Ok(())
    }
}

/// One row of the output.
pub(crate) struct MaxPoolRow<'a> {
    pub pool: &'a MaxPool,
    /// The image from row `top` on, with at least the rows that are read.
    pub input: &'a [f32],
    pub top: usize,
    pub output: SharedOutput<'a>,
    pub row: usize,
}

impl SimdTask for MaxPoolRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let MaxPool { spec, output, .. } = self.pool;
        let Shape { height, width, channels } = spec.input;
        let (top, bottom) = window(self.row, 0, spec, height);
        for column in 0..output.width {
            let (left, right) = window(column, 1, spec, width);
            let mut channel = 0;
            while channel < channels {
                let lanes = S::LANES.min(channels - channel);
                let window = ((top, bottom), (left, right));
                if lanes == S::LANES {
                    self.vector::<S, true>(s, column, window, channel, lanes);
                } else {
                    self.vector::<S, false>(s, column, window, channel, lanes);
                }
                channel += S::LANES;
            }
        }
    }
}

impl MaxPoolRow<'_> {
    /// Computes one vector of channels of a window inside the image. `FULL`: all lanes are channels.
    #[inline(always)]
    fn vector<S: Simd<E = f32>, const FULL: bool>(
        &self,
        s: S,
        column: usize,
        ((top, bottom), (left, right)): ((usize, usize), (usize, usize)),
        channel: usize,
        lanes: usize,
    ) {
        let MaxPool { spec, output, .. } = self.pool;
        let Shape { width, channels, .. } = spec.input;
        let mut maximum = s.splat(f32::NEG_INFINITY);
        for y in top..bottom {
            for x in left..right {
                let from = ((y - self.top) * width + x) * channels + channel;
                // SAFETY: the pixel is inside the image.
                let value = unsafe { s.load_if::<FULL>(at(self.input, from, lanes), lanes) };
                maximum = s.clamp_min(maximum, value);
            }
        }
        let to = (self.row * output.width + column) * channels + channel;
        // SAFETY: the row belongs to this task.
        unsafe { s.store_if::<FULL>(self.output.at(to, lanes), maximum, lanes) };
    }
}

/// Returns the part of a window that is inside the image, as start and end (exclusive).
#[inline(always)]
fn window(index: usize, axis: usize, spec: &ConvSpec, side: usize) -> (usize, usize) {
    let start = index * spec.stride[axis];
    let end = (start + spec.kernel[axis]).saturating_sub(spec.padding[axis][0]);
    (start.saturating_sub(spec.padding[axis][0]), end.min(side))
}
