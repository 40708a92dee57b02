//! The first convolution of a bottleneck, which expands the channels.

use std::ops::Range;

use super::stage::BottleneckStage;
use crate::conv::Algorithm;
use crate::depthwise::CHANNEL_BLOCK;
use crate::direct::{Direct, DirectSums};
use crate::microkernel::{ChannelLayout, Sink};
use crate::parallel::SharedOutput;
use crate::pointwise::{Pointwise, PointwiseBlock};
use crate::simd::{Element, Simd, SimdTask};
use crate::spec::{ConvSpec, Shape};

/// The convolution for some of the channels.
#[derive(Debug)]
pub(super) enum Expand<E> {
    Pointwise(Pointwise<E>),
    Direct(Direct<E>),
}

impl<E: Element> Expand<E> {
    /// Packs the convolution for some of the channels; `wide` is the shape with all of them.
    pub fn new(isa: E::Isa, stage: &BottleneckStage<'_>, wide: Shape, channels: Range<usize>) -> Self {
        let outputs = channels.len();
        let (weights, bias) = stage.of(channels);
        if Algorithm::Pointwise.fits(&stage.spec) {
            let inputs = stage.spec.input.channels;
            return Self::Pointwise(Pointwise::new(isa, inputs, outputs, weights, bias, &stage.epilogue));
        }
        let spec = ConvSpec { outputs, ..stage.spec };
        let sums = Shape { channels: outputs, ..wide };
        Self::Direct(Direct::new(isa, &spec, sums, weights, bias, &stage.epilogue))
    }

    /// Returns the scratch floats that [`Self::input_rows`] needs for `rows` rows.
    pub fn copy_length(&self, rows: usize) -> usize {
        match self {
            Self::Pointwise(_) => 0,
            Self::Direct(direct) => direct.copy_length(rows),
        }
    }

    /// Returns the number of floats that [`Self::input_rows`] returns for `rows` rows of an image.
    pub fn input_length(&self, shape: Shape, rows: usize) -> usize {
        match self {
            Self::Pointwise(_) => rows * shape.width * shape.channels,
            Self::Direct(direct) => direct.input_length(rows),
        }
    }

    /// Returns the part of `image` that is read for the rows from `top` to `bottom`.
    pub fn input_rows<'a>(
        &self,
        image: &'a [f32],
        shape: Shape,
        (top, bottom): (usize, usize),
        copy: &'a mut [f32],
    ) -> &'a [f32] {
        match self {
            Self::Pointwise(_) => {
                let line = shape.width * shape.channels;
                &image[top * line..bottom * line]
            }
            Self::Direct(direct) => direct.input_rows(image, top, bottom - top, copy),
        }
    }
}

/// Some rows of a subgroup's channels.
pub(super) struct ExpandRows<'a, E> {
    pub expand: &'a Expand<E>,
    /// The result of [`Expand::input_rows`] for these rows.
    pub input: &'a [E],
    /// The subgroup's blocks, one image after the other.
    pub output: SharedOutput<'a, E>,
    /// Floats from one block's image to the next.
    pub block_stride: usize,
    pub rows: usize,
    pub width: usize,
    /// Columns of the output before and after a row.
    pub columns: [usize; 2],
}

impl<E: Element> SimdTask<E> for ExpandRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Self { input, rows, width, columns: [before, after], .. } = self;
        let sink = Sink::Intermediate(self.output);
        let layout = ChannelLayout { contiguous: CHANNEL_BLOCK, group_stride: self.block_stride };
        match self.expand {
            Expand::Pointwise(pointwise) => s.run(PointwiseBlock {
                pointwise,
                input,
                run_length: pointwise.inputs(),
                sink,
                layout,
                first: before,
                gaps: Some((width, before + after)),
            }),
            Expand::Direct(direct) => s.run(DirectSums {
                direct,
                input,
                rows,
                sink,
                layout,
                first_pixel: before,
                row_step: before + width + after,
            }),
        }
    }
}
