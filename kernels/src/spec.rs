//! What a convolution is.

/// Why a convolution can't be set up or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kernel of this kind is not among the crate's.
    #[error("{0}; leave this convolution to the inference engine")]
    Unsupported(String),
    /// A slice has another length than the shapes say.
    #[error("the {what} has {found} values instead of {expected}; give it as the convolution's shapes say")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Values that the shapes ask for.
        expected: usize,
        /// Values given.
        found: usize,
    },
}

/// An image's sides and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Shape {
    /// Values of an image.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a number of values, of which an image always has some")]
    pub const fn len(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// How an input image lies in memory. Outputs always lie channels last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// Height × width × channels.
    #[default]
    ChannelsLast,
    /// Channels × height × width. Only for direct convolutions, where it saves a copy.
    Planar,
}

/// The geometry of a convolution (ONNX's `Conv` of one image, without dilation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// The input image.
    pub input: Shape,
    /// How it lies in memory.
    pub layout: Layout,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps down and to the right.
    pub stride: [usize; 2],
    /// Rows of zeros before and after, columns of zeros before and after.
    pub padding: [[usize; 2]; 2],
    /// One filter for each channel instead of one over all: `outputs` equals the input's channels.
    pub depthwise: bool,
}

impl ConvSpec {
    /// Stride 1, no padding, channels last, dense.
    #[must_use]
    pub const fn new(input: Shape, outputs: usize, kernel: [usize; 2]) -> Self {
        Self {
            input,
            layout: Layout::ChannelsLast,
            outputs,
            kernel,
            stride: [1, 1],
            padding: [[0, 0], [0, 0]],
            depthwise: false,
        }
    }

    /// Sides of the sums, before any pooling.
    ///
    /// # Errors
    /// [`Error::Unsupported`]: a side of zero, or a kernel larger than the padded image.
    pub fn sums(&self) -> Result<Shape, Error> {
        let sizes = [self.input.height, self.input.width];
        let mut sides = [0; 2];
        for axis in 0..2 {
            let padded = sizes[axis] + self.padding[axis][0] + self.padding[axis][1];
            let fits = self.kernel[axis] > 0 && self.stride[axis] > 0 && sizes[axis] > 0;
            let room = padded.checked_sub(self.kernel[axis]).filter(|_| fits);
            let Some(room) = room else {
                return Err(Error::Unsupported(format!("the kernel has no place in the image: {self:?}")));
            };
            sides[axis] = room / self.stride[axis] + 1;
        }
        if self.input.channels == 0 || self.outputs == 0 {
            return Err(Error::Unsupported("a convolution without channels".to_owned()));
        }
        if self.depthwise && self.outputs != self.input.channels {
            return Err(Error::Unsupported(
                "a depthwise convolution with several filters a channel".to_owned(),
            ));
        }
        Ok(Shape { height: sides[0], width: sides[1], channels: self.outputs })
    }

    /// Weights of a filter: channels × rows × columns.
    pub(crate) const fn taps(&self) -> usize {
        let channels = if self.depthwise { 1 } else { self.input.channels };
        channels * self.kernel[0] * self.kernel[1]
    }
}

/// What happens to a sum before it is written: + bias, + residual, cut to `low..=high`, mean of 2 × 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epilogue {
    /// Least value: 0 for ReLU and ReLU6, minus infinity for none.
    pub low: f32,
    /// Largest value: 6 for ReLU6, infinity for none.
    pub high: f32,
    /// An image of the output's shape is added, as in a residual block.
    pub residual: bool,
    /// Writes the mean of every 2 × 2 outputs instead; a last odd row or column is dropped. Not with `residual`.
    pub average_pool: bool,
}

impl Default for Epilogue {
    /// Writes the sums as they are.
    fn default() -> Self {
        Self { low: f32::NEG_INFINITY, high: f32::INFINITY, residual: false, average_pool: false }
    }
}

impl Epilogue {
    /// Cuts negative values off.
    #[must_use]
    pub fn relu() -> Self {
        Self { low: 0.0, ..Self::default() }
    }

    /// Cuts to 0..=6.
    #[must_use]
    pub fn relu6() -> Self {
        Self { low: 0.0, high: 6.0, ..Self::default() }
    }
}

/// Whether there are as many values as expected.
pub(crate) fn check(what: &'static str, expected: usize, slice: &[f32]) -> Result<(), Error> {
    if slice.len() == expected { Ok(()) } else { Err(Error::Length { what, expected, found: slice.len() }) }
}
