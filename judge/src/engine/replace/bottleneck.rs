//! An inverted bottleneck as it stands in a model: three convolutions, each of which alone reads the one before.

use kernels::{Bottleneck, Layout};
use tract_core::internal::*;
use tract_core::ops::cnn::Conv;

use super::Paths;
use super::filters::Filters;
use super::pattern::{Chain, only_reader};

/// The three convolutions with what follows each, and the kernel for all.
#[derive(Debug)]
pub(super) struct Parts {
    pub chains: [Chain; 3],
    pub kernel: Bottleneck,
    /// How the kernel reads its image.
    pub layout: Layout,
}

impl Parts {
    /// The bottleneck that starts with the convolution `first`, if one does. `taken` are the nodes of other parts.
    pub fn from(
        model: &TypedModel,
        first: usize,
        paths: Paths,
        taken: impl Fn(usize) -> bool,
        is_channels_last: impl Fn(OutletId) -> bool,
    ) -> TractResult<Option<Self>> {
        let chain = |conv| Chain::from(model, conv, &taken);
        let next = |before: &Chain| -> TractResult<Option<Chain>> {
            let reader = only_reader(model, before.last)?;
            let reader = reader.filter(|node| node.op_is::<Conv>() && node.inputs[0] == before.last.into());
            reader.map(|node| chain(node.id)).transpose()
        };
        let expand = chain(first)?;
        let Some(depthwise) = next(&expand)? else { return Ok(None) };
        let Some(project) = next(&depthwise)? else { return Ok(None) };
        let chains = [expand, depthwise, project];
        let mut filters = Vec::new();
        for (index, chain) in chains.iter().enumerate() {
            let is_channels_last = |image| index > 0 || is_channels_last(image);
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
        let kernel = match paths.half {
            Some(path) => Bottleneck::new_half(expand, depthwise, project, path),
            None => Bottleneck::new(expand, depthwise, project, paths.single),
        };
        Ok(kernel.ok().map(|kernel| Self { chains, kernel, layout }))
    }

    pub fn nodes(&self) -> impl Iterator<Item = usize> {
        self.chains.iter().flat_map(|chain| chain.nodes.iter().copied())
    }

    /// The node whose value the kernel gives.
    pub fn last(&self) -> usize {
        self.chains[2].last
    }

    /// `bottleneck, residual`.
    pub fn words(&self) -> String {
        let name = if self.kernel.is_half() { "bottleneck in 16 bits" } else { "bottleneck" };
        self.chains[2].words(name)
    }
}
