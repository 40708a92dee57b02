//! A convolution with what follows it: a residual, clamping, a mean of 2 × 2 or a max pool.

use kernels::bottleneck::BottleneckStage;
use kernels::space_to_depth::{SpaceToDepth, fold_stride2};
use kernels::{Conv, Layout, Shape};
use tract_core::internal::*;
use tract_core::ops::cnn;

use super::{PatternMatch, max_pool};
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{ConvChain, only_reader};
use crate::engine::replace::conv_constants::ConvConstants;
use crate::engine::replace::op::{Kernel, KernelInputs};

/// The convolution, and how its kernel reads the image.
struct ConvolutionMatch {
    chain: ConvChain,
    kernel: Conv,
    image: ConvInput,
    /// The max pool that the kernel takes over.
    max_pool: Option<usize>,
}

enum ConvInput {
    InLayout(Layout),
    /// After space to depth.
    SpaceToDepth(Shape),
}

/// Finds the convolution `node`, if a kernel can compute it.
pub(super) fn find(rewriter: &Rewriter<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    if !node.op_is::<cnn::Conv>() {
        return Ok(None);
    }
    let chain = ConvChain::starting_at(model, node.id, |id| rewriter.is_taken(id))?;
    let Some((mut kernel, image)) = conv_kernel(rewriter, &chain)? else { return Ok(None) };
    let reader = only_reader(model, chain.last)?;
    let mut max_pool = reader.filter(|node| node.op_is::<cnn::MaxPool>());
    if let Some(node) = max_pool {
        let taken = max_pool::kernel(rewriter, node)?.map(|pool| kernel.fuse_max_pool(pool));
        max_pool = max_pool.filter(|_| matches!(taken, Some(Ok(_))));
    }
    let max_pool = max_pool.map(|node| node.id);
    Ok(Some(Box::new(ConvolutionMatch { chain, kernel, image, max_pool })))
}

/// Returns the kernel for a convolution; `None` if no kernel can compute it.
fn conv_kernel(rewriter: &Rewriter<'_>, chain: &ConvChain) -> TractResult<Option<(Conv, ConvInput)>> {
    let isa = rewriter.isas.single;
    let is_channels_last = |image| rewriter.is_channels_last(image);
    let Some(constants) = ConvConstants::of(rewriter.source, chain.conv, is_channels_last)? else {
        return Ok(None);
    };
    let BottleneckStage { spec, weights, bias, epilogue } = constants.stage(chain.epilogue)?;
    if let Some((folded, algorithm, weights)) = fold_stride2(&spec, weights)
        && let Ok(conv) = Conv::with_algorithm(algorithm, folded, &weights, bias, epilogue, isa)
    {
        return Ok(Some((conv, ConvInput::SpaceToDepth(spec.input))));
    }
    let conv = Conv::new(spec, weights, bias, epilogue, isa);
    Ok(conv.ok().map(|conv| (conv, ConvInput::InLayout(spec.layout))))
}

impl PatternMatch for ConvolutionMatch {
    fn nodes(&self) -> Vec<usize> {
        self.chain.nodes.iter().copied().chain(self.max_pool).collect()
    }

    fn last(&self) -> usize {
        self.max_pool.unwrap_or(self.chain.last)
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let image = rewriter.source.node(self.chain.conv).inputs[0];
        let mut inputs = tvec![match self.image {
            ConvInput::InLayout(layout) => rewriter.in_layout(image, layout)?,
            ConvInput::SpaceToDepth(shape) => rewriter.space_to_depth(image, shape)?,
        }];
        if let Some(residual) = self.chain.residual {
            inputs.push(rewriter.channels_last(residual)?);
        }
        let mut description = self.chain.describe(self.kernel.algorithm().name());
        if self.max_pool.is_some() {
            description += ", maximum";
        }
        let (last, nodes, output) = (self.last(), self.nodes().len(), self.kernel.output());
        rewriter.wire_kernel(last, nodes, self.kernel, output, description, &inputs)
    }
}

/// Inputs: the image, and the residual if the epilogue has one.
impl Kernel for Conv {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, inputs.optional(1)?, output)?)
    }
}

/// Input: a planar image.
impl Kernel for SpaceToDepth {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, output)?)
    }
}
