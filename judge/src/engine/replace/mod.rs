//! Replaces parts of a model by the project's own kernels.
//!
//! The model is taken as it was read, because tract's own rewriting would turn a 1×1 convolution into a matrix product. It
//! is rewritten node by node. Whatever one of the [`patterns`] matches becomes a kernel, which works channels last;
//! everything else stays with tract. A value is kept in the layout in which it was computed, and converted to the other one
//! once, when that is first needed: from the first convolution to the map, nothing is converted. A node without a kernel
//! costs no more than the two conversions around it.

mod buffers;
mod chain;
mod conv_constants;
mod layouts;
mod op;
mod patterns;
mod shapes;

use std::collections::{HashMap, HashSet};

use kernels::{HalfIsa, Isa, Shape};
use shared_format::Arithmetic;
use tract_core::internal::*;
use tract_core::ops::array::TypedConcat;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::nn::Reduce;

use self::buffers::Buffers;
use self::op::{Kernel, KernelOp};
use self::patterns::PatternMatch;
use crate::engine::error::EngineError;

/// A part of the model that a kernel computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The model's name for its result.
    pub name: String,
    /// How it is computed, for example `Winograd F(4×4, 3×3), residual, ReLU`.
    pub kernel: String,
    /// Number of the model's nodes that it replaces.
    pub nodes: usize,
    /// The floats that it computes with.
    pub arithmetic: Arithmetic,
}

/// The vector instructions that kernels use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Isas {
    /// For 32-bit floats.
    pub single: Isa,
    /// For bottlenecks, if they are computed with 16-bit floats.
    pub half: Option<HalfIsa>,
}

impl Isas {
    /// Returns the instructions for `arithmetic`, with `single` for 32-bit floats.
    ///
    /// # Errors
    /// [`EngineError::Half`] if 16-bit floats are requested and nothing can compute with them.
    pub fn of(single: Isa, arithmetic: Arithmetic) -> Result<Self, EngineError> {
        let half = match arithmetic {
            Arithmetic::Single => None,
            Arithmetic::Half => {
                let isa = HalfIsa::counterpart_of(single);
                Some(isa.ok_or_else(|| EngineError::Half { vectors: single.name().to_owned() })?)
            }
        };
        Ok(Self { single, half })
    }
}

/// Returns the model with kernels wherever patterns match, and what was replaced. Constants that only kernels use are freed
/// with `model`.
///
/// # Errors
/// tract refuses the new model, which would be a bug here.
pub(super) fn replace(model: TypedModel, isas: Isas) -> TractResult<(TypedModel, Vec<Replacement>)> {
    let mut rewriter = Rewriter {
        source: &model,
        target: TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() },
        planar: HashMap::new(),
        channels_last: HashMap::new(),
        space_to_depth: HashMap::new(),
        matches: HashMap::new(),
        taken: HashSet::new(),
        buffers: Buffers::default(),
        replacements: Vec::new(),
        isas,
    };
    for id in model.eval_order()? {
        rewriter.rewrite_node(id)?;
    }
    let outputs: Vec<OutletId> =
        model.output_outlets()?.iter().map(|&outlet| rewriter.planar(outlet)).collect::<TractResult<_>>()?;
    rewriter.target.select_output_outlets(&outputs)?;
    Ok((rewriter.target, rewriter.replacements))
}

struct Rewriter<'a> {
    source: &'a TypedModel,
    target: TypedModel,
    /// The source's outlets in the source's layout.
    planar: HashMap<OutletId, OutletId>,
    /// The source's images, channels last.
    channels_last: HashMap<OutletId, OutletId>,
    /// The source's images after space-to-depth.
    space_to_depth: HashMap<OutletId, OutletId>,
    /// Matches by their last node, where they are rewritten.
    matches: HashMap<usize, Box<dyn PatternMatch>>,
    /// The nodes of all matches.
    taken: HashSet<usize>,
    buffers: Buffers,
    replacements: Vec<Replacement>,
    isas: Isas,
}

impl Rewriter<'_> {
    fn rewrite_node(&mut self, id: usize) -> TractResult<()> {
        let node = self.source.node(id);
        if !self.is_taken(id)
            && let Some(matched) = patterns::find(self, node)?
        {
            self.taken.extend(matched.nodes());
            self.matches.insert(matched.last(), matched);
        }
        match self.matches.remove(&id) {
            Some(matched) => matched.rewrite(self),
            None if self.is_taken(id) || self.keep_channels_last(node)? => Ok(()),
            None => self.copy(node),
        }
    }

    /// Returns whether the node belongs to a match.
    fn is_taken(&self, id: usize) -> bool {
        self.taken.contains(&id)
    }

    /// Copies the node unchanged.
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

    /// Writes a kernel that computes the value of node `id`, channels last.
    fn wire_kernel(
        &mut self,
        id: usize,
        nodes: usize,
        kernel: impl Kernel,
        output: Shape,
        description: String,
        inputs: &[OutletId],
    ) -> TractResult<()> {
        let name = self.source.node(id).name.clone();
        let arithmetic = kernel.arithmetic();
        self.replacements.push(Replacement {
            name: name.clone(),
            kernel: description.clone(),
            nodes,
            arithmetic,
        });
        let output = [1, output.height, output.width, output.channels];
        let op = KernelOp::new(kernel, &output, description, &self.buffers);
        let outlet = self.target.wire_node(name, op, inputs)?[0];
        self.channels_last.insert(id.into(), outlet);
        Ok(())
    }

    /// Writes a kernel that computes the value of node `id` in the source's layout.
    fn wire_planar_kernel(
        &mut self,
        id: usize,
        nodes: usize,
        kernel: impl Kernel,
        description: &str,
        input: OutletId,
    ) -> TractResult<()> {
        let (name, description) = (self.source.node(id).name.clone(), description.to_owned());
        let fact = self.source.outlet_fact(id.into())?;
        let shape = fact.shape.as_concrete().context("a shape is unknown")?;
        let arithmetic = kernel.arithmetic();
        let op = KernelOp::new(kernel, shape, description.clone(), &self.buffers);
        let input = self.planar(input)?;
        let outlet = self.target.wire_node(&name, op, &[input])?[0];
        self.replacements.push(Replacement { name, kernel: description, nodes, arithmetic });
        self.planar.insert(id.into(), outlet);
        Ok(())
    }

    /// Keeps element-wise operations, sums over channels, and concatenations of channels in the layout of their input, if
    /// that is channels last.
    fn keep_channels_last(&mut self, node: &TypedNode) -> TractResult<bool> {
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
