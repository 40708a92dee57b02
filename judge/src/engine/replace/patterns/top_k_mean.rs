//! The mean of the largest values: TopK, sum, quotient.

use kernels::top_k_mean::TopKMean;
use tract_core::internal::*;
use tract_core::ops::array::Topk;
use tract_core::ops::math::Div;
use tract_core::ops::nn::{Reduce, Reducer};

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{only_reader, scalar_operand};
use crate::engine::replace::op::{Kernel, KernelInputs};

/// The nodes of such a mean.
struct TopKMeanMatch {
    input: OutletId,
    nodes: [usize; 3],
    kernel: TopKMean,
}

/// Finds the mean that starts at `first`.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    let (Some(top), &[input, count]) = (first.op_as::<Topk>(), &first.inputs[..]) else {
        return Ok(None);
    };
    let [values, indices] = &first.outputs[..] else { return Ok(None) };
    let (&[reader], []) = (&values.successors[..], &indices.successors[..]) else { return Ok(None) };
    let alone = !model.output_outlets()?.iter().any(|outlet| outlet.node == first.id);
    let fact = model.outlet_fact(input)?;
    let (Some(shape), true) = (fact.shape.as_concrete(), fact.datum_type == f32::datum_type()) else {
        return Ok(None);
    };
    let one_row = shape.iter().product::<usize>() == shape[top.axis];
    let Some(count) = model.outlet_fact(count)?.konst.as_ref().filter(|_| alone && one_row && top.largest)
    else {
        return Ok(None);
    };
    let count = count.cast_to_scalar::<i64>()?;
    let sum = model.node(reader.node);
    let sums = sum
        .op_as::<Reduce>()
        .is_some_and(|reduce| reduce.axes.as_slice() == [top.axis] && reduce.reducer == Reducer::Sum);
    let Some(quotient) = only_reader(model, sum.id)?.filter(|_| sums) else { return Ok(None) };
    let divisor = scalar_operand::<Div>(model, quotient, sum.id.into())?;
    if divisor.is_none_or(|divisor| divisor != count as f32) || quotient.inputs[0] != sum.id.into() {
        return Ok(None);
    }
    let Ok(count) = usize::try_from(count) else { return Ok(None) };
    let kernel = TopKMean { values: shape[top.axis], count };
    Ok(Some(Box::new(TopKMeanMatch { input, nodes: [first.id, sum.id, quotient.id], kernel })))
}

impl PatternMatch for TopKMeanMatch {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.to_vec()
    }

    fn last(&self) -> usize {
        self.nodes[2]
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        rewriter.wire_planar_kernel(
            self.last(),
            self.nodes.len(),
            self.kernel,
            "mean of the largest",
            self.input,
        )
    }
}

/// Input: any values.
impl Kernel for TopKMean {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, output)?)
    }
}
