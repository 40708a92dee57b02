//! Descriptions of convolutions and images, and the crate's error type.

/// Maximum number of values in an image, including its padding, and of weights: gigabytes. The product of two such numbers can't
/// overflow, so offsets and lengths that kernels compute from checked shapes are correct.
pub(crate) const MAX_VALUES: usize = 1 << (usize::BITS / 2 - 1);

/// The reason why a kernel can't be set up or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The crate has no kernel for this.
    #[error("{0}; leave this operation to the inference engine")]
    Unsupported(String),
    /// A slice's length doesn't match the shapes.
    #[error("the {what} has {found} values instead of {expected}; pass a slice that matches the shapes")]
    Length {
        /// The slice's name.
        what: &'static str,
        /// Number of values required by the shapes.
        expected: usize,
        /// Number of values given.
        found: usize,
    },
}

impl Error {
    fn too_large(what: &dyn std::fmt::Debug) -> Self {
        Self::Unsupported(format!("more than {MAX_VALUES} values: {what:?}"))
    }
}

/// An image's height, width and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
}

impl Shape {
    /// Returns the number of values in an image, or `usize::MAX` (more than any slice can have) on overflow.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a number of values; an image is never empty")]
    pub const fn len(&self) -> usize {
        saturating_len(saturating_len(self.height, self.width), self.channels)
    }

    /// Returns the shape, or an error if it has too many values.
    pub(crate) fn within_limits(self) -> Result<Self, Error> {
        let sides = [self.height, self.width, self.channels];
        let largest = sides.into_iter().max().unwrap_or(0).max(self.len());
        if largest <= MAX_VALUES { Ok(self) } else { Err(Error::too_large(&self)) }
    }
}

/// Returns `count` times `each`, or `usize::MAX` (more than any slice can have) on overflow.
pub(crate) const fn saturating_len(count: usize, each: usize) -> usize {
    count.saturating_mul(each)
}

/// An input image's memory layout. Outputs are always channels last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// Height × width × channels.
    #[default]
    ChannelsLast,
    /// Channels × height × width. For direct convolutions only, where it saves a copy.
    Planar,
}

/// The geometry of a convolution (ONNX's `Conv` on one image, without dilation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// The input image.
    pub input: Shape,
    /// The input's memory layout.
    pub layout: Layout,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Rows of zeros before and after, columns of zeros before and after.
    pub padding: [[usize; 2]; 2],
    /// Whether each filter covers one channel instead of all; `outputs` then equals the input's channels.
    pub depthwise: bool,
}

impl ConvSpec {
    /// Creates a dense convolution, channels last, with stride 1 and no padding.
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

    /// Returns the shape of the sums, before any pooling.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a side of zero, a kernel larger than the padded image, or an image too large for memory.
    pub fn sums(&self) -> Result<Shape, Error> {
        let sizes = [self.input.height, self.input.width];
        let (mut padded, mut sides) = ([0; 2], [0; 2]);
        for axis in 0..2 {
            let [before, after] = self.padding[axis];
            padded[axis] = sizes[axis].saturating_add(before).saturating_add(after);
            let fits = self.kernel[axis] > 0 && self.stride[axis] > 0 && sizes[axis] > 0;
            let extent = padded[axis].checked_sub(self.kernel[axis]).filter(|_| fits);
            let Some(extent) = extent else {
                return Err(Error::Unsupported(format!("the kernel doesn't fit in the image: {self:?}")));
            };
            sides[axis] = (extent / self.stride[axis]).saturating_add(1);
        }
        let channels = self.input.channels;
        if channels == 0 || self.outputs == 0 {
            return Err(Error::Unsupported("a convolution without channels".to_owned()));
        }
        if self.depthwise && self.outputs != channels {
            return Err(Error::Unsupported(
                "a depthwise convolution with several filters per channel".to_owned(),
            ));
        }
        // The padded image's limit also covers the input and the kernel.
        Shape { height: padded[0], width: padded[1], channels }.within_limits()?;
        let weights = saturating_len(self.outputs, self.taps());
        if self.stride[0].max(self.stride[1]).max(weights) > MAX_VALUES {
            return Err(Error::too_large(self));
        }
        Shape { height: sides[0], width: sides[1], channels: self.outputs }.within_limits()
    }

    /// Returns the number of weights in a filter: channels × rows × columns.
    pub(crate) const fn taps(&self) -> usize {
        let channels = if self.depthwise { 1 } else { self.input.channels };
        saturating_len(channels, saturating_len(self.kernel[0], self.kernel[1]))
    }
}

/// The operations applied to a sum before it is written: + bias, + residual, clamp to `low..=high`, mean of 2 × 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epilogue {
    /// Lower bound: 0 for ReLU and ReLU6, minus infinity for none.
    pub low: f32,
    /// Upper bound: 6 for ReLU6, infinity for none.
    pub high: f32,
    /// Whether an image of the output's shape is added, as in a residual block.
    pub residual: bool,
    /// Whether the mean of every 2 × 2 outputs is written instead; a last odd row or column is dropped. Not with `residual`.
    pub average_pool: bool,
}

impl Default for Epilogue {
    /// Creates an epilogue that writes the sums unchanged.
    fn default() -> Self {
        Self { low: f32::NEG_INFINITY, high: f32::INFINITY, residual: false, average_pool: false }
    }
}

impl Epilogue {
    /// Creates an epilogue that clamps negative values to 0.
    #[must_use]
    pub fn relu() -> Self {
        Self { low: 0.0, ..Self::default() }
    }

    /// Creates an epilogue that clamps to 0..=6.
    #[must_use]
    pub fn relu6() -> Self {
        Self { low: 0.0, high: 6.0, ..Self::default() }
    }
}

/// Checks a slice's length. Kernels rely on this for safety: `expected` is a product that saturates instead of wrapping, see
/// [`saturating_len`].
pub(crate) fn check_length(what: &'static str, expected: usize, slice: &[f32]) -> Result<(), Error> {
    if slice.len() == expected { Ok(()) } else { Err(Error::Length { what, expected, found: slice.len() }) }
}
