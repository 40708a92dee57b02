//! Parts of a model → the project's own kernels.
//!
//! The model is taken as it was read: tract's own rewriting would make a matrix product of a 1×1 convolution. It is written
//! anew, node by node. Convolutions with what follows them, maxima and means of windows, resizing, the distance of two
//! images and the minimum over channels become kernels, which work channels last; everything else stays tract's. A value
//! is kept in the layout in which it was computed and moved to the other one when somebody asks for that, once: from the
//! first convolution to the map nothing is moved. What matches no kernel costs nothing but its place between two moves.

mod bottleneck;
mod buffers;
mod filters;
mod head;
mod layouts;
mod least;
mod op;
mod pattern;
mod resize;

use std::collections::{HashMap, HashSet};

use kernels::bottleneck::Stage;
use kernels::depth;
use kernels::pool::MaxPool;
use kernels::{Conv, Layout, Path, Shape};
use tract_core::internal::*;
use tract_core::ops::array::TypedConcat;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::nn::Reduce;

use self::buffers::Buffers;
use self::filters::Filters;
use self::op::{Kernel, KernelOp};
use self::pattern::Chain;

/// An image of so few channels is read planar by the first convolution itself.
const PLANAR_CHANNELS: usize = 4;

/// A part that a kernel computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The model's name of its result.
    pub name: String,
    /// How it is computed: `Winograd F(4×4, 3×3), residual, ReLU`.
    pub kernel: String,
    /// Nodes of the model that it stands for.
    pub nodes: usize,
}

/// The model with kernels where they match, and what was replaced. Constants that only kernels use are freed with `model`.
///
/// # Errors
/// tract refuses the new model, which would be a mistake here.
pub(super) fn replace(model: TypedModel) -> TractResult<(TypedModel, Vec<Replaced>)> {
    let mut rewriting = Rewriting {
        source: &model,
        target: TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() },
        planar: HashMap::new(),
        channels_last: HashMap::new(),
        deep: HashMap::new(),
        chains: HashMap::new(),
        taken: HashSet::new(),
        buffers: Buffers::default(),
        replaced: Vec::new(),
        path: Path::best(),
    };
    for id in model.eval_order()? {
        rewriting.node(id)?;
    }
    let outputs: Vec<OutletId> =
        model.output_outlets()?.iter().map(|&outlet| rewriting.planar(outlet)).collect::<TractResult<_>>()?;
    rewriting.target.select_output_outlets(&outputs)?;
    Ok((rewriting.target, rewriting.replaced))
}

struct Rewriting<'a> {
    source: &'a TypedModel,
    target: TypedModel,
    /// The source's outlets as they lie in the source.
    planar: HashMap<OutletId, OutletId>,
    /// The source's images, channels last.
    channels_last: HashMap<OutletId, OutletId>,
    /// The source's images after space to depth.
    deep: HashMap<OutletId, OutletId>,
    /// Parts that are written at their last node, by that.
    chains: HashMap<usize, Part>,
    /// The nodes of all parts.
    taken: HashSet<usize>,
    buffers: Buffers,
    replaced: Vec<Replaced>,
    path: Path,
}

/// Nodes that become one operation, found before it is written.
enum Part {
    Conv(Chain),
    Bottleneck(Box<bottleneck::Parts>),
    Distance(head::Parts),
    Least(least::Parts),
    Resize(resize::Resize),
}

impl Rewriting<'_> {
    fn node(&mut self, id: usize) -> TractResult<()> {
        let node = self.source.node(id);
        if !self.taken.contains(&id) {
            let taken = |id| self.taken.contains(&id);
            if node.op_is::<cnn::Conv>() {
                if let Some(parts) = bottleneck::Parts::from(self.source, id, self.path, taken)? {
                    self.taken.extend(parts.nodes());
                    self.chains.insert(parts.last(), Part::Bottleneck(Box::new(parts)));
                } else {
                    let chain = Chain::from(self.source, id, taken)?;
                    self.taken.extend(&chain.nodes);
                    self.chains.insert(chain.last, Part::Conv(chain));
                }
            } else if let Some(resize) = resize::Resize::from(self.source, node)?
                && self.channels_last.contains_key(&resize.image)
            {
                self.taken.extend([id, resize.last]);
                self.chains.insert(resize.last, Part::Resize(resize));
            } else if let Some(parts) = head::Parts::from(self.source, node)? {
                self.take(parts);
            } else if let Some(parts) = least::Parts::from(self.source, node)?
                && parts.inputs.iter().any(|input| self.channels_last.contains_key(input))
            {
                self.taken.extend(&parts.nodes);
                self.chains.insert(parts.last, Part::Least(parts));
            }
        }
        match self.chains.remove(&id) {
            Some(Part::Conv(chain)) => self.conv(&chain),
            Some(Part::Bottleneck(parts)) => self.bottleneck(*parts),
            Some(Part::Distance(parts)) => self.distance(&parts),
            Some(Part::Resize(resize)) => self.resize(&resize),
            Some(Part::Least(parts)) => self.least(&parts),
            None if self.taken.contains(&id) => Ok(()),
            None => self.other(node),
        }
    }

    fn take(&mut self, parts: head::Parts) {
        let near = parts.inputs.iter().any(|input| self.channels_last.contains_key(input));
        if near && parts.nodes.iter().all(|id| !self.taken.contains(id)) {
            self.taken.extend(&parts.nodes);
            self.chains.insert(parts.last, Part::Distance(parts));
        }
    }

    fn other(&mut self, node: &TypedNode) -> TractResult<()> {
        if let Some(pool) = node.op_as::<cnn::MaxPool>()
            && self.max_pool(node, pool)?
        {
            return Ok(());
        }
        if let Some(pool) = node.op_as::<cnn::SumPool>()
            && self.mean_pool(node, pool)?
        {
            return Ok(());
        }
        if self.along_with_channels_last(node)? {
            return Ok(());
        }
        self.copy(node)
    }

    /// The node as it is.
    fn copy(&mut self, node: &TypedNode) -> TractResult<()> {
        let inputs: TVec<OutletId> =
            node.inputs.iter().map(|&input| self.planar(input)).collect::<TractResult<_>>()?;
        let is_input = self.source.input_outlets()?.contains(&node.id.into());
        let outlets = if is_input {
            tvec![self.target.add_source(&node.name, node.outputs[0].fact.clone())?]
        } else {
            self.target.wire_node(&node.name, node.op.clone(), &inputs)?
        };
        for (slot, outlet) in outlets.into_iter().enumerate() {
            self.planar.insert(OutletId::new(node.id, slot), outlet);
        }
        Ok(())
    }

    /// A convolution whose chain ends here. Where no kernel computes it, its nodes stay as they are.
    fn conv(&mut self, chain: &Chain) -> TractResult<()> {
        let Some((kernel, image)) = self.packed(chain)? else {
            return chain.nodes.iter().try_for_each(|&id| self.other(self.source.node(id)));
        };
        let mut inputs = tvec![image];
        if let Some(residual) = chain.residual {
            inputs.push(self.channels_last(residual)?);
        }
        let words = chain.words(kernel.algorithm().name());
        let output = kernel.output();
        self.write(chain.last, chain.nodes.len(), Kernel::Conv(kernel), output, words, &inputs)
    }

    /// The kernel for a convolution, and the image as the kernel reads it.
    fn packed(&mut self, chain: &Chain) -> TractResult<Option<(Conv, OutletId)>> {
        let Some(mut filters) = Filters::of(self.source, chain.conv)? else { return Ok(None) };
        let (spec, image) = (&mut filters.spec, self.source.node(chain.conv).inputs[0]);
        let planar = !self.channels_last.contains_key(&image)
            && spec.input.channels <= PLANAR_CHANNELS
            && !spec.depthwise;
        if planar {
            spec.layout = Layout::Planar;
        }
        let Stage { spec, weights, bias, epilogue } = filters.stage(chain.epilogue)?;
        if let Some((folded, algorithm, weights)) = depth::folded(&spec, weights) {
            let conv = Conv::with_algorithm(algorithm, folded, &weights, bias, epilogue, self.path);
            if let Ok(conv) = conv {
                return Ok(Some((conv, self.deep(image, spec.input)?)));
            }
        }
        let Ok(conv) = Conv::new(spec, weights, bias, epilogue, self.path) else { return Ok(None) };
        let image = if planar { self.planar(image)? } else { self.channels_last(image)? };
        Ok(Some((conv, image)))
    }

    fn bottleneck(&mut self, parts: bottleneck::Parts) -> TractResult<()> {
        let [expand, _, project] = &parts.chains;
        let mut inputs = tvec![self.channels_last(self.source.node(expand.conv).inputs[0])?];
        if let Some(residual) = project.residual {
            inputs.push(self.channels_last(residual)?);
        }
        let (last, nodes, words) = (parts.last(), parts.nodes().count(), parts.words());
        let output = parts.kernel.output();
        self.write(last, nodes, Kernel::Bottleneck(parts.kernel), output, words, &inputs)
    }

    fn max_pool(&mut self, node: &TypedNode, pool: &cnn::MaxPool) -> TractResult<bool> {
        let input = node.inputs[0];
        let (Some(image), None) = (pattern::image(self.source, input)?, pool.with_index_outputs) else {
            return Ok(false);
        };
        // From planar to planar, tract's own costs no moves.
        if !self.channels_last.contains_key(&input) {
            return Ok(false);
        }
        let kernel =
            pattern::window(&pool.pool_spec, image).and_then(|spec| MaxPool::new(spec, self.path).ok());
        let Some(kernel) = kernel else { return Ok(false) };
        let inputs = [self.channels_last(input)?];
        let output = kernel.output();
        self.write(node.id, 1, Kernel::MaxPool(kernel), output, "maximum".to_owned(), &inputs)?;
        Ok(true)
    }

    fn mean_pool(&mut self, node: &TypedNode, pool: &cnn::SumPool) -> TractResult<bool> {
        let input = node.inputs[0];
        if !self.channels_last.contains_key(&input) {
            return Ok(false);
        }
        let Some(kernel) = resize::mean(self.source, node, pool, self.path)? else { return Ok(false) };
        let inputs = [self.channels_last(input)?];
        let output = kernel.output();
        self.write(node.id, 1, Kernel::Resample(kernel), output, "mean of windows".to_owned(), &inputs)?;
        Ok(true)
    }

    fn least(&mut self, parts: &least::Parts) -> TractResult<()> {
        let inputs: TVec<OutletId> =
            parts.inputs.iter().map(|&input| self.channels_last(input)).collect::<TractResult<_>>()?;
        let kernel = Kernel::Least(parts.kernel(self.path));
        let output = Shape { channels: 1, ..parts.image };
        self.write(parts.last, parts.nodes.len(), kernel, output, "minimum over channels".to_owned(), &inputs)
    }

    fn distance(&mut self, parts: &head::Parts) -> TractResult<()> {
        let inputs = [self.channels_last(parts.inputs[0])?, self.channels_last(parts.inputs[1])?];
        let kernel = parts.kernel(self.path);
        let output = Shape { channels: 1, ..parts.image };
        let words = parts.words().to_owned();
        self.write(parts.last, parts.nodes.len(), Kernel::Distance(kernel), output, words, &inputs)
    }

    fn resize(&mut self, resize: &resize::Resize) -> TractResult<()> {
        let inputs = [self.channels_last(resize.image)?];
        let kernel = resize.kernel(self.path)?;
        let output = kernel.output();
        self.write(resize.last, 2, Kernel::Resample(kernel), output, "resampling".to_owned(), &inputs)
    }

    /// Writes a kernel that gives the value of node `id`.
    fn write(
        &mut self,
        id: usize,
        nodes: usize,
        kernel: Kernel,
        output: Shape,
        words: String,
        inputs: &[OutletId],
    ) -> TractResult<()> {
        let name = self.source.node(id).name.clone();
        self.replaced.push(Replaced { name: name.clone(), kernel: words.clone(), nodes });
        let op = KernelOp::new(kernel, output, words, &self.buffers);
        let outlet = self.target.wire_node(name, op, inputs)?[0];
        self.channels_last.insert(id.into(), outlet);
        Ok(())
    }

    /// Operations that treat every value alike, sums over channels, and channels put side by side stay in the layout in
    /// which their input lies.
    fn along_with_channels_last(&mut self, node: &TypedNode) -> TractResult<bool> {
        let known = node.inputs.iter().any(|input| self.channels_last.contains_key(input));
        let images = node.outputs.len() == 1 && node.outputs[0].fact.rank() == 4;
        if !known || !images {
            return Ok(false);
        }
        let op: Box<dyn TypedOp> = if let Some(reduce) = node.op_as::<Reduce>() {
            if reduce.axes.as_slice() != [1] {
                return Ok(false);
            }
            Box::new(Reduce { axes: tvec![3], reducer: reduce.reducer })
        } else if let Some(concat) = node.op_as::<TypedConcat>() {
            if concat.axis != 1 {
                return Ok(false);
            }
            Box::new(TypedConcat { axis: 3 })
        } else if node.op_is::<TypedBinOp>() || node.op_is::<ElementWiseOp>() {
            node.op.clone()
        } else {
            return Ok(false);
        };
        let inputs: TVec<OutletId> =
            node.inputs.iter().map(|&input| self.channels_last(input)).collect::<TractResult<_>>()?;
        let outlet = self.target.wire_node(&node.name, op, &inputs)?[0];
        self.channels_last.insert(node.id.into(), outlet);
        Ok(true)
    }
}
