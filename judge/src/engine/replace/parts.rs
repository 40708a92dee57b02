//! The parts of a model that kernels compute: found, and written.

use kernels::bottleneck::Stage;
use kernels::depth;
use kernels::pool::MaxPool;
use kernels::{Conv, Layout, Shape};
use tract_core::internal::*;
use tract_core::ops::cnn;

use super::filters::Filters;
use super::op::Kernel;
use super::pattern::{self, Chain};
use super::{Rewriting, bottleneck, head, largest, least, normalise, resize};

/// Nodes that become one operation, found before it is written.
pub(super) enum Part {
    /// With the maximum that alone reads it, if one does.
    Conv(Chain, Option<usize>),
    Bottleneck(Box<bottleneck::Parts>),
    Distance(head::Parts),
    Least(least::Parts),
    Resize(resize::Resize),
    Normalise(normalise::Parts),
    Largest(largest::Parts),
}

impl Rewriting<'_> {
    /// Finds the part that starts at `node`, and takes its nodes.
    pub(super) fn find(&mut self, node: &TypedNode) -> TractResult<()> {
        let (source, id) = (self.source, node.id);
        let taken = |id| self.taken.contains(&id);
        let is_channels_last = |input: OutletId| self.channels_last.contains_key(&input);
        let near = |inputs: &[OutletId]| inputs.iter().copied().any(is_channels_last);
        if node.op_is::<cnn::Conv>() {
            if let Some(parts) = bottleneck::Parts::from(source, id, self.paths, taken, is_channels_last)? {
                let nodes: Vec<usize> = parts.nodes().collect();
                self.take(nodes, parts.last(), Part::Bottleneck(Box::new(parts)));
            } else {
                let chain = Chain::from(source, id, taken)?;
                let reader = pattern::only_reader(source, chain.last)?;
                let maximum = reader.filter(|node| node.op_is::<cnn::MaxPool>()).map(|node| node.id);
                let (nodes, last) =
                    (chain.nodes.iter().copied().chain(maximum), maximum.unwrap_or(chain.last));
                self.take(nodes.collect::<Vec<_>>(), last, Part::Conv(chain, maximum));
            }
        } else if let Some(resize) = resize::Resize::from(source, node)?
            && (resize.is_one_plane() || near(&[resize.image]))
        {
            self.take([id, resize.last], resize.last, Part::Resize(resize));
        } else if let Some(parts) = head::Parts::from(source, node)? {
            if near(&parts.inputs) && !parts.nodes.iter().any(|&id| taken(id)) {
                self.take(parts.nodes.clone(), parts.last, Part::Distance(parts));
            }
        } else if let Some(parts) = least::Parts::from(source, node)?
            && near(&parts.inputs)
        {
            self.take(parts.nodes.clone(), parts.last, Part::Least(parts));
        } else if let Some(parts) = normalise::Parts::from(source, node, self.paths.single)?
            && !near(&[parts.input])
        {
            self.take(parts.nodes, parts.nodes[1], Part::Normalise(parts));
        } else if let Some(parts) = largest::Parts::from(source, node)? {
            self.take(parts.nodes, parts.nodes[2], Part::Largest(parts));
        }
        Ok(())
    }

    fn take(&mut self, nodes: impl IntoIterator<Item = usize>, last: usize, part: Part) {
        self.taken.extend(nodes);
        self.chains.insert(last, part);
    }

    /// Writes the part whose last node is `id`.
    pub(super) fn part(&mut self, id: usize, part: Part) -> TractResult<()> {
        match part {
            Part::Conv(chain, maximum) => self.conv(&chain, maximum),
            Part::Bottleneck(parts) => self.bottleneck(*parts),
            Part::Distance(parts) => self.distance(&parts),
            Part::Resize(resize) => self.resize(&resize),
            Part::Least(parts) => self.least(&parts),
            Part::Normalise(parts) => {
                let kernel = Kernel::Normalise(parts.kernel);
                self.write_planar(id, parts.nodes.len(), kernel, "normalisation", parts.input)
            }
            Part::Largest(parts) => {
                let kernel = Kernel::Largest(parts.kernel);
                self.write_planar(id, parts.nodes.len(), kernel, "mean of the largest", parts.input)
            }
        }
    }

    /// A convolution whose chain ends here, or with the maximum behind it. Where no kernel computes it, its nodes stay as
    /// they are.
    fn conv(&mut self, chain: &Chain, maximum: Option<usize>) -> TractResult<()> {
        let source = self.source;
        let maximum = maximum.map(|id| source.node(id));
        let Some((mut kernel, image)) = self.packed(chain)? else {
            let nodes = chain.nodes.iter().map(|&id| source.node(id));
            return nodes.chain(maximum).try_for_each(|node| self.other(node));
        };
        let mut inputs = tvec![image];
        if let Some(residual) = chain.residual {
            inputs.push(self.channels_last(residual)?);
        }
        let mut words = chain.words(kernel.algorithm().name());
        let (mut last, mut nodes) = (chain.last, chain.nodes.len());
        if let Some(node) = maximum
            && let Some(pool) = self.maximum(node)?
            && kernel.take_maximum(pool).is_ok()
        {
            words += ", maximum";
            (last, nodes) = (node.id, nodes + 1);
        }
        let output = kernel.output();
        self.write(last, nodes, Kernel::Conv(Box::new(kernel)), output, words, &inputs)?;
        let behind = maximum.filter(|node| node.id != last);
        behind.map_or(Ok(()), |node| self.other(node))
    }

    /// The kernel for a convolution, and the image as the kernel reads it.
    fn packed(&mut self, chain: &Chain) -> TractResult<Option<(Conv, OutletId)>> {
        let is_channels_last = |image| self.channels_last.contains_key(&image);
        let Some(filters) = Filters::of(self.source, chain.conv, is_channels_last)? else { return Ok(None) };
        let image = self.source.node(chain.conv).inputs[0];
        let Stage { spec, weights, bias, epilogue } = filters.stage(chain.epilogue)?;
        if let Some((folded, algorithm, weights)) = depth::folded(&spec, weights) {
            let conv = Conv::with_algorithm(algorithm, folded, &weights, bias, epilogue, self.paths.single);
            if let Ok(conv) = conv {
                return Ok(Some((conv, self.deep(image, spec.input)?)));
            }
        }
        let Ok(conv) = Conv::new(spec, weights, bias, epilogue, self.paths.single) else { return Ok(None) };
        Ok(Some((conv, self.laid_out(image, spec.layout)?)))
    }

    fn laid_out(&mut self, image: OutletId, layout: Layout) -> TractResult<OutletId> {
        match layout {
            Layout::ChannelsLast => self.channels_last(image),
            Layout::Planar => self.planar(image),
        }
    }

    fn bottleneck(&mut self, parts: bottleneck::Parts) -> TractResult<()> {
        let [expand, _, project] = &parts.chains;
        let mut inputs = tvec![self.laid_out(self.source.node(expand.conv).inputs[0], parts.layout)?];
        if let Some(residual) = project.residual {
            inputs.push(self.channels_last(residual)?);
        }
        let (last, nodes, words) = (parts.last(), parts.nodes().count(), parts.words());
        let output = parts.kernel.output();
        self.write(last, nodes, Kernel::Bottleneck(parts.kernel), output, words, &inputs)
    }

    /// The kernel for a maximum, where one computes it.
    fn maximum(&self, node: &TypedNode) -> TractResult<Option<MaxPool>> {
        let Some(pool) = node.op_as::<cnn::MaxPool>().filter(|pool| pool.with_index_outputs.is_none()) else {
            return Ok(None);
        };
        let Some(image) = pattern::image(self.source, node.inputs[0])? else { return Ok(None) };
        let spec = pattern::window(&pool.pool_spec, image);
        Ok(spec.and_then(|spec| MaxPool::new(spec, self.paths.single).ok()))
    }

    pub(super) fn max_pool(&mut self, node: &TypedNode) -> TractResult<bool> {
        let input = node.inputs[0];
        // From planar to planar, tract's own costs no moves.
        if !self.channels_last.contains_key(&input) {
            return Ok(false);
        }
        let Some(kernel) = self.maximum(node)? else { return Ok(false) };
        let inputs = [self.channels_last(input)?];
        let output = kernel.output();
        self.write(node.id, 1, Kernel::MaxPool(kernel), output, "maximum".to_owned(), &inputs)?;
        Ok(true)
    }

    pub(super) fn mean_pool(&mut self, node: &TypedNode, pool: &cnn::SumPool) -> TractResult<bool> {
        let input = node.inputs[0];
        if !self.channels_last.contains_key(&input) {
            return Ok(false);
        }
        let Some(kernel) = resize::mean(self.source, node, pool, self.paths.single)? else {
            return Ok(false);
        };
        let inputs = [self.channels_last(input)?];
        let output = kernel.output();
        self.write(node.id, 1, Kernel::Resample(kernel), output, "mean of windows".to_owned(), &inputs)?;
        Ok(true)
    }

    fn least(&mut self, parts: &least::Parts) -> TractResult<()> {
        let inputs: TVec<OutletId> =
            parts.inputs.iter().map(|&input| self.channels_last(input)).collect::<TractResult<_>>()?;
        let kernel = Kernel::Least(parts.kernel(self.paths.single));
        let output = Shape { channels: 1, ..parts.image };
        self.write(parts.last, parts.nodes.len(), kernel, output, "minimum over channels".to_owned(), &inputs)
    }

    fn distance(&mut self, parts: &head::Parts) -> TractResult<()> {
        let inputs = [self.channels_last(parts.inputs[0])?, self.channels_last(parts.inputs[1])?];
        let kernel = parts.kernel(self.paths.single);
        let output = Shape { channels: 1, ..parts.image };
        let words = parts.words().to_owned();
        self.write(parts.last, parts.nodes.len(), Kernel::Distance(kernel), output, words, &inputs)
    }

    fn resize(&mut self, resize: &resize::Resize) -> TractResult<()> {
        let kernel = resize.kernel(self.paths.single)?;
        let (output, words) = (kernel.output(), "resampling");
        if resize.is_one_plane() {
            return self.write_planar(resize.last, 2, Kernel::Resample(kernel), words, resize.image);
        }
        let inputs = [self.channels_last(resize.image)?];
        self.write(resize.last, 2, Kernel::Resample(kernel), output, words.to_owned(), &inputs)
    }
}
