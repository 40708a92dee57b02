//! An inverted bottleneck: three convolutions, each the only reader of the one before.

use kernels::{Bottleneck, Layout};
use shared_format::Arithmetic;
use tract_core::internal::*;
use tract_core::ops::cnn::Conv;

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{ConvChain, only_reader};
use crate::engine::replace::conv_constants::ConvConstants;
use crate::engine::replace::op::{Kernel, KernelInputs};

/// The three convolutions with what follows each, and the kernel for all of them.
struct BottleneckMatch {
    chains: [ConvChain; 3],
    kernel: Bottleneck,
    /// How the kernel reads its image.
    layout: Layout,
}

/// Finds the bottleneck that starts with the convolution `first`.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    if !first.op_is::<Conv>() {
        return Ok(None);
    }
    let chain = |conv| ConvChain::starting_at(model, conv, |id| rewriter.is_taken(id));
    let next = |before: &ConvChain| -> TractResult<Option<ConvChain>> {
        let reader = only_reader(model, before.last)?;
        let reader = reader.filter(|node| node.op_is::<Conv>() && node.inputs[0] == before.last.into());
        reader.map(|node| chain(node.id)).transpose()
    };
    let expand = chain(first.id)?;
    let Some(depthwise) = next(&expand)? else { return Ok(None) };
    let Some(project) = next(&depthwise)? else { return Ok(None) };
    let chains = [expand, depthwise, project];
    let mut constants = Vec::new();
    for (index, chain) in chains.iter().enumerate() {
        let is_channels_last = |image| index > 0 || rewriter.is_channels_last(image);
        let Some(conv_constants) = ConvConstants::of(model, chain.conv, is_channels_last)? else {
            return Ok(None);
        };
        constants.push(conv_constants);
    }
    let stages: Vec<_> = chains
        .iter()
        .zip(&constants)
        .map(|(chain, constants)| constants.stage(chain.epilogue))
        .collect::<TractResult<_>>()?;
    let layout = stages[0].spec.layout;
    let [expand, depthwise, project] = &stages[..] else { return Ok(None) };
    let kernel = match rewriter.isas.half {
        Some(isa) => Bottleneck::new_half(expand, depthwise, project, isa),
        None => Bottleneck::new(expand, depthwise, project, rewriter.isas.single),
    };
    let Ok(kernel) = kernel else { return Ok(None) };
    Ok(Some(Box::new(BottleneckMatch { chains, kernel, layout })))
}

impl PatternMatch for BottleneckMatch {
    fn nodes(&self) -> Vec<usize> {
        self.chains.iter().flat_map(|chain| chain.nodes.iter().copied()).collect()
    }

    fn last(&self) -> usize {
        self.chains[2].last
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let [expand, _, project] = &self.chains;
        let image = rewriter.source.node(expand.conv).inputs[0];
        let mut inputs = tvec![rewriter.in_layout(image, self.layout)?];
        if let Some(residual) = project.residual {
            inputs.push(rewriter.channels_last(residual)?);
        }
        let name = if self.kernel.is_half() { "bottleneck in 16 bits" } else { "bottleneck" };
        let (last, nodes, description) = (self.last(), self.nodes().len(), project.describe(name));
        let output = self.kernel.output();
        rewriter.wire_kernel(last, nodes, self.kernel, output, description, &inputs)
    }
}

/// Inputs: the image, and the residual if the epilogue has one.
impl Kernel for Bottleneck {
    fn arithmetic(&self) -> Arithmetic {
        if self.is_half() { Arithmetic::Half } else { Arithmetic::Single }
    }

    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, inputs.optional(1)?, output)?)
    }
}
