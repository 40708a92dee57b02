//! An inverted bottleneck: three convolutions, each the only reader of the one before.

use kernels::{Bottleneck, Layout};
use shared_format::Arithmetic;
use tract_core::internal::*;
use tract_core::ops::cnn::Conv;

use super::Part;
use crate::engine::replace::Rewriting;
use crate::engine::replace::chain::{Chain, only_reader};
use crate::engine::replace::filters::Filters;
use crate::engine::replace::op::{Images, Kernel};

/// The three convolutions with what follows each, and the kernel for all of them.
struct Parts {
    chains: [Chain; 3],
    kernel: Bottleneck,
    /// How the kernel reads its image.
    layout: Layout,
}

/// Finds the bottleneck that starts with the convolution `first`.
pub(super) fn find(rewriting: &Rewriting<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    let model = rewriting.source;
    if !first.op_is::<Conv>() {
        return Ok(None);
    }
    let chain = |conv| Chain::from(model, conv, |id| rewriting.is_taken(id));
    let next = |before: &Chain| -> TractResult<Option<Chain>> {
        let reader = only_reader(model, before.last)?;
        let reader = reader.filter(|node| node.op_is::<Conv>() && node.inputs[0] == before.last.into());
        reader.map(|node| chain(node.id)).transpose()
    };
    let expand = chain(first.id)?;
    let Some(depthwise) = next(&expand)? else { return Ok(None) };
    let Some(project) = next(&depthwise)? else { return Ok(None) };
    let chains = [expand, depthwise, project];
    let mut filters = Vec::new();
    for (index, chain) in chains.iter().enumerate() {
        let is_channels_last = |image| index > 0 || rewriting.is_channels_last(image);
        let Some(filter) = Filters::of(model, chain.conv, is_channels_last)? else { return Ok(None) };
        filters.push(filter);
    }
    let stages: Vec<_> = chains
        .iter()
        .zip(&filters)
        .map(|(chain, filters)| filters.stage(chain.epilogue))
        .collect::<TractResult<_>>()?;
    let layout = stages[0].spec.layout;
    let [expand, depthwise, project] = &stages[..] else { return Ok(None) };
    let kernel = match rewriting.paths.half {
        Some(path) => Bottleneck::new_half(expand, depthwise, project, path),
        None => Bottleneck::new(expand, depthwise, project, rewriting.paths.single),
    };
    let Ok(kernel) = kernel else { return Ok(None) };
    Ok(Some(Box::new(Parts { chains, kernel, layout })))
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        self.chains.iter().flat_map(|chain| chain.nodes.iter().copied()).collect()
    }

    fn last(&self) -> usize {
        self.chains[2].last
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        let [expand, _, project] = &self.chains;
        let image = rewriting.source.node(expand.conv).inputs[0];
        let mut inputs = tvec![rewriting.laid_out(image, self.layout)?];
        if let Some(residual) = project.residual {
            inputs.push(rewriting.channels_last(residual)?);
        }
        let name = if self.kernel.is_half() { "bottleneck in 16 bits" } else { "bottleneck" };
        let (last, nodes, words) = (self.last(), self.nodes().len(), project.words(name));
        let output = self.kernel.output();
        rewriting.write(last, nodes, self.kernel, output, words, &inputs)
    }
}

/// Inputs: the image, and the residual if the epilogue has one.
impl Kernel for Bottleneck {
    fn arithmetic(&self) -> Arithmetic {
        if self.is_half() { Arithmetic::Half } else { Arithmetic::Single }
    }

    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, images.optional(1)?, output)?)
    }
}
