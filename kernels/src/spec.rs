//! What a convolution is.

/// Values of an image, with the zeros around it, and of all weights: gigabytes. The product of two such numbers can't wrap
/// around, so that places and lengths that kernels compute from shapes that have passed are what they seem to be.
pub(crate) const MOST_VALUES: usize = 1 << (usize::BITS / 2 - 1);

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

impl Error {
    fn too_large(what: &dyn std::fmt::Debug) -> Self {
        Self::Unsupported(format!("more than {MOST_VALUES} values are computed at no time: {what:?}"))
    }
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
    /// Values of an image; `usize::MAX`, which no slice has, where there are more than can be counted.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a number of values, of which an image always has some")]
    pub const fn len(&self) -> usize {
        values(values(self.height, self.width), self.channels)
    }

    /// The shape, unless it has too many values.
    pub(crate) fn within_limits(self) -> Result<Self, Error> {
        let sides = [self.height, self.width, self.channels];
        let largest = sides.into_iter().max().unwrap_or(0).max(self.len());
        if largest <= MOST_VALUES { Ok(self) } else { Err(Error::too_large(&self)) }
    }
}

/// So many times so many values; `usize::MAX`, which no slice has, where there are more than can be counted.
pub(crate) const fn values(count: usize, of_each: usize) -> usize {
    count.saturating_mul(of_each)
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
    /// [`Error::Unsupported`]: a side of zero, a kernel larger than the padded image, or more values than a memory holds.
    pub fn sums(&self) -> Result<Shape, Error> {
        let sizes = [self.input.height, self.input.width];
        let (mut padded, mut sides) = ([0; 2], [0; 2]);
        for axis in 0..2 {
            let [before, after] = self.padding[axis];
            padded[axis] = sizes[axis].saturating_add(before).saturating_add(after);
            let fits = self.kernel[axis] > 0 && self.stride[axis] > 0 && sizes[axis] > 0;
            let room = padded[axis].checked_sub(self.kernel[axis]).filter(|_| fits);
            let Some(room) = room else {
                return Err(Error::Unsupported(format!("the kernel has no place in the image: {self:?}")));
            };
            sides[axis] = (room / self.stride[axis]).saturating_add(1);
        }
        let channels = self.input.channels;
        if channels == 0 || self.outputs == 0 {
            return Err(Error::Unsupported("a convolution without channels".to_owned()));
        }
        if self.depthwise && self.outputs != channels {
            return Err(Error::Unsupported(
                "a depthwise convolution with several filters a channel".to_owned(),
            ));
        }
        // The input is within the padded image, and so is a kernel.
        Shape { height: padded[0], width: padded[1], channels }.within_limits()?;
        let weights = values(self.outputs, self.taps());
        if self.stride[0].max(self.stride[1]).max(weights) > MOST_VALUES {
            return Err(Error::too_large(self));
        }
        Shape { height: sides[0], width: sides[1], channels: self.outputs }.within_limits()
    }

    /// Weights of a filter: channels × rows × columns.
    pub(crate) const fn taps(&self) -> usize {
        let channels = if self.depthwise { 1 } else { self.input.channels };
        values(channels, values(self.kernel[0], self.kernel[1]))
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

/// Whether there are as many values as expected. Kernels trust in it: `expected` is a product that can't wrap around, see
/// [`values`].
pub(crate) fn check(what: &'static str, expected: usize, slice: &[f32]) -> Result<(), Error> {
    if slice.len() == expected { Ok(()) } else { Err(Error::Length { what, expected, found: slice.len() }) }
}
