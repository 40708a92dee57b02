//! Finds the nodes after a convolution that its epilogue can compute.

use kernels::Epilogue;
use tract_core::internal::*;
use tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_core::ops::cnn::SumPool;
use tract_core::ops::math::{Add, Max, Min};

use super::shapes::padding;

/// A convolution and the nodes that its kernel takes over.
#[derive(Debug)]
pub(super) struct ConvChain {
    pub conv: usize,
    pub last: usize,
    /// All nodes of the chain.
    pub nodes: Vec<usize>,
    pub epilogue: Epilogue,
    pub residual: Option<OutletId>,
}

/// Returns the only reader of this node's value, if there is exactly one.
pub(super) fn only_reader(model: &TypedModel, node: usize) -> TractResult<Option<&TypedNode>> {
    let outputs = model.output_outlets()?;
    let node = model.node(node);
    Ok(match &node.outputs[..] {
        [output] if !outputs.contains(&node.id.into()) => match &output.successors[..] {
            [reader] => Some(model.node(reader.node)),
            _ => None,
        },
        _ => None,
    })
}

/// Returns the inputs of a node if it is this binary operation.
pub(super) fn binary_inputs<T: BinMiniOp>(node: &TypedNode) -> Option<[OutletId; 2]> {
    let op = node.op_as::<TypedBinOp>()?;
    if !op.0.is::<T>() {
        return None;
    }
    node.inputs.as_slice().try_into().ok()
}

/// Returns the value of a single-valued constant.
pub(super) fn scalar_constant(model: &TypedModel, outlet: OutletId) -> TractResult<Option<f32>> {
    let fact = model.outlet_fact(outlet)?;
    let Some(value) = fact.konst.as_ref().or(fact.uniform.as_ref()) else { return Ok(None) };
    let single = value.len() == 1 && value.datum_type() == f32::datum_type();
    Ok(if single { Some(value.cast_to_scalar::<f32>()?) } else { None })
}

/// Returns the constant if the node is operation `T` on `x` and a single constant value.
pub(super) fn scalar_operand<T: BinMiniOp>(
    model: &TypedModel,
    node: &TypedNode,
    x: OutletId,
) -> TractResult<Option<f32>> {
    let Some([a, b]) = binary_inputs::<T>(node) else { return Ok(None) };
    scalar_constant(model, if a == x { b } else { a })
}

impl ConvChain {
    /// Collects the convolution `conv` and what follows it. `taken` tells the nodes of other chains.
    pub fn starting_at(model: &TypedModel, conv: usize, taken: impl Fn(usize) -> bool) -> TractResult<Self> {
        let mut chain =
            Self { conv, last: conv, nodes: vec![conv], epilogue: Epilogue::default(), residual: None };
        while let Some(next) = only_reader(model, chain.last)?.filter(|next| !taken(next.id)) {
            if !chain.append(model, next)? {
                break;
            }
            chain.last = next.id;
            chain.nodes.push(next.id);
        }
        Ok(chain)
    }

    /// Adds what `next` does to the epilogue, if that is possible, and returns whether it was.
    fn append(&mut self, model: &TypedModel, next: &TypedNode) -> TractResult<bool> {
        let (x, epilogue) = (OutletId::from(self.last), &mut self.epilogue);
        let (no_low, no_high) = (epilogue.low == f32::NEG_INFINITY, epilogue.high == f32::INFINITY);
        if epilogue.average_pool || model.outlet_fact(x)?.shape != next.outputs[0].fact.shape {
            let pools = !epilogue.average_pool && self.residual.is_none() && is_mean_pool_2x2(next);
            epilogue.average_pool |= pools;
            return Ok(pools);
        }
        if let Some(low) = scalar_operand::<Max>(model, next, x)?
            && no_low
            && no_high
        {
            epilogue.low = low;
            return Ok(true);
        }
        if let Some(high) = scalar_operand::<Min>(model, next, x)?
            && no_high
            && high >= epilogue.low
        {
            epilogue.high = high;
            return Ok(true);
        }
        let Some([a, b]) = binary_inputs::<Add>(next) else { return Ok(false) };
        let other = if a == x { b } else { a };
        let fact = model.outlet_fact(other)?;
        let fits = other != x && fact.konst.is_none() && fact.shape == next.outputs[0].fact.shape;
        if !(fits && no_low && no_high && self.residual.is_none()) {
            return Ok(false);
        }
        self.residual = Some(other);
        self.epilogue.residual = true;
        Ok(true)
    }

    /// Describes the chain after the algorithm's name, for example `direct, ReLU, mean of 2×2`.
    pub fn describe(&self, algorithm: &str) -> String {
        let Epilogue { low, high, residual, average_pool } = self.epilogue;
        let mut description = algorithm.to_owned();
        if residual {
            description += ", residual";
        }
        description += &match (low, high) {
            (f32::NEG_INFINITY, f32::INFINITY) => String::new(),
            (0.0, f32::INFINITY) => ", ReLU".to_owned(),
            (0.0, 6.0) => ", ReLU6".to_owned(),
            (low, high) => format!(", cut to {low}..{high}"),
        };
        if average_pool {
            description += ", mean of 2×2";
        }
        description
    }
}

/// Returns whether the node takes the mean of every 2 × 2 pixels.
fn is_mean_pool_2x2(node: &TypedNode) -> bool {
    let Some(pool) = node.op_as::<SumPool>() else { return false };
    let spec = &pool.pool_spec;
    pool.normalize
        && spec.kernel_shape.as_slice() == [2, 2]
        && spec.strides().as_ref() == [2, 2]
        && spec.dilations().iter().all(|&d| d == 1)
        && padding(spec) == Some([[0, 0], [0, 0]])
}
