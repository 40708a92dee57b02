//! The first convolution of a bottleneck, which expands the channels.

use std::ops::Range;

use super::stage::Stage;
use crate::conv::Algorithm;
use crate::depthwise::BLOCK;
use crate::direct::{Direct, Sums};
use crate::pointwise::{Pixels, Pointwise};
use crate::share::Target;
use crate::simd::{Element, Simd, Task};
use crate::spec::{ConvSpec, Shape};
use crate::tile::{Sink, Split};

/// The convolution for some of the channels.
#[derive(Debug)]
pub(super) enum Expand<E> {
    Pointwise(Pointwise<E>),
    Direct(Direct<E>),
}

impl<E: Element> Expand<E> {
    /// Packs the convolution for some of the channels; `wide` is the shape with all of them.
    pub fn new(path: E::Path, stage: &Stage<'_>, wide: Shape, channels: Range<usize>) -> Self {
        let outputs = channels.len();
        let (weights, bias) = stage.of(channels);
        if Algorithm::Pointwise.fits(&stage.spec) {
            let inputs = stage.spec.input.channels;
            return Self::Pointwise(Pointwise::new(path, inputs, outputs, weights, bias, &stage.epilogue));
        }
        let spec = ConvSpec { outputs, ..stage.spec };
        let sums = Shape { channels: outputs, ..wide };
        Self::Direct(Direct::new(path, &spec, sums, weights, bias, &stage.epilogue))
    }

    /// Returns the scratch floats that [`Self::rows`] needs for `rows` rows.
    pub fn copied(&self, rows: usize) -> usize {
        match self {
            Self::Pointwise(_) => 0,
            Self::Direct(direct) => direct.copied(rows),
        }
    }

    /// Returns the number of floats that [`Self::rows`] returns for `rows` rows of an image.
    pub fn read(&self, shape: Shape, rows: usize) -> usize {
        match self {
            Self::Pointwise(_) => rows * shape.width * shape.channels,
            Self::Direct(direct) => direct.read(rows),
        }
    }

    /// Returns the part of `image` that is read for the rows from `top` to `bottom`.
    pub fn rows<'a>(
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
            Self::Direct(direct) => direct.rows(image, top, bottom - top, copy),
        }
    }
}

/// Some rows of a part's channels.
pub(super) struct Rows<'a, E> {
    pub expand: &'a Expand<E>,
    /// The result of [`Expand::rows`] for these rows.
    pub input: &'a [E],
    /// The part's blocks, one image after the other.
    pub output: Target<'a, E>,
    /// Floats from one block's image to the next.
    pub apart: usize,
    pub rows: usize,
    pub width: usize,
    /// Columns of the output before and after a row.
    pub columns: [usize; 2],
}

impl<E: Element> Task<E> for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Self { input, rows, width, columns: [before, after], .. } = self;
        let sink = Sink::Within(self.output);
        let split = Split { side_by_side: BLOCK, apart: self.apart };
        match self.expand {
            Expand::Pointwise(pointwise) => s.run(Pixels {
                pointwise,
                input,
                block: pointwise.inputs(),
                sink,
                split,
                first: before,
                gaps: Some((width, before + after)),
            }),
            Expand::Direct(direct) => {
                s.run(Sums { direct, input, rows, sink, split, place: before, step: before + width + after })
            }
        }
    }
}
