//! A convolution with what follows it: a residual, clamping, a mean of 2 × 2 or a max pool.

use kernels::bottleneck::Stage;
use kernels::depth::{self, SpaceToDepth};
use kernels::{Conv, Layout, Shape};
use tract_core::internal::*;
use tract_core::ops::cnn;

use super::{Part, max_pool};
use crate::engine::replace::Rewriting;
use crate::engine::replace::chain::{Chain, only_reader};
use crate::engine::replace::filters::Filters;
use crate::engine::replace::op::{Images, Kernel};

/// The convolution, and how its kernel reads the image.
struct Parts {
    chain: Chain,
    kernel: Conv,
    image: Image,
    /// The max pool that the kernel takes over.
    maximum: Option<usize>,
}

enum Image {
    LaidOut(Layout),
    /// After space to depth.
    Deep(Shape),
}

/// Finds the convolution `node`, if a kernel can compute it.
pub(super) fn find(rewriting: &Rewriting<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    let model = rewriting.source;
    if !node.op_is::<cnn::Conv>() {
        return Ok(None);
    }
    let chain = Chain::from(model, node.id, |id| rewriting.is_taken(id))?;
    let Some((mut kernel, image)) = packed(rewriting, &chain)? else { return Ok(None) };
    let reader = only_reader(model, chain.last)?;
    let mut maximum = reader.filter(|node| node.op_is::<cnn::MaxPool>());
    if let Some(node) = maximum {
        let taken = max_pool::kernel(rewriting, node)?.map(|pool| kernel.take_maximum(pool));
        maximum = maximum.filter(|_| matches!(taken, Some(Ok(_))));
    }
    let maximum = maximum.map(|node| node.id);
    Ok(Some(Box::new(Parts { chain, kernel, image, maximum })))
}

/// Returns the kernel for a convolution; `None` if no kernel can compute it.
fn packed(rewriting: &Rewriting<'_>, chain: &Chain) -> TractResult<Option<(Conv, Image)>> {
    let path = rewriting.paths.single;
    let is_channels_last = |image| rewriting.is_channels_last(image);
    let Some(filters) = Filters::of(rewriting.source, chain.conv, is_channels_last)? else { return Ok(None) };
    let Stage { spec, weights, bias, epilogue } = filters.stage(chain.epilogue)?;
    if let Some((folded, algorithm, weights)) = depth::folded(&spec, weights)
        && let Ok(conv) = Conv::with_algorithm(algorithm, folded, &weights, bias, epilogue, path)
    {
        return Ok(Some((conv, Image::Deep(spec.input))));
    }
    let conv = Conv::new(spec, weights, bias, epilogue, path);
    Ok(conv.ok().map(|conv| (conv, Image::LaidOut(spec.layout))))
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        self.chain.nodes.iter().copied().chain(self.maximum).collect()
    }

    fn last(&self) -> usize {
        self.maximum.unwrap_or(self.chain.last)
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        let image = rewriting.source.node(self.chain.conv).inputs[0];
        let mut inputs = tvec![match self.image {
            Image::LaidOut(layout) => rewriting.laid_out(image, layout)?,
            Image::Deep(shape) => rewriting.deep(image, shape)?,
        }];
        if let Some(residual) = self.chain.residual {
            inputs.push(rewriting.channels_last(residual)?);
        }
        let mut words = self.chain.words(self.kernel.algorithm().name());
        if self.maximum.is_some() {
            words += ", maximum";
        }
        let (last, nodes, output) = (self.last(), self.nodes().len(), self.kernel.output());
        rewriting.write(last, nodes, self.kernel, output, words, &inputs)
    }
}

/// Inputs: the image, and the residual if the epilogue has one.
impl Kernel for Conv {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, images.optional(1)?, output)?)
    }
}

/// Input: a planar image.
impl Kernel for SpaceToDepth {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, output)?)
    }
}
