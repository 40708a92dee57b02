//! The mean of the largest values: TopK, sum, quotient.

use kernels::largest::MeanOfLargest;
use tract_core::internal::*;
use tract_core::ops::array::Topk;
use tract_core::ops::math::Div;
use tract_core::ops::nn::{Reduce, Reducer};

use super::Part;
use crate::engine::replace::Rewriting;
use crate::engine::replace::chain::{only_reader, with_single};
use crate::engine::replace::op::{Images, Kernel};

/// The nodes of such a mean.
struct Parts {
    input: OutletId,
    nodes: [usize; 3],
    kernel: MeanOfLargest,
}

/// Finds the mean that starts at `first`.
pub(super) fn find(rewriting: &Rewriting<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    let model = rewriting.source;
    let (Some(top), &[input, count]) = (first.op_as::<Topk>(), &first.inputs[..]) else {
        return Ok(None);
    };
    let [values, places] = &first.outputs[..] else { return Ok(None) };
    let (&[reader], []) = (&values.successors[..], &places.successors[..]) else { return Ok(None) };
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
    let divisor = with_single::<Div>(model, quotient, sum.id.into())?;
    if divisor.is_none_or(|divisor| divisor != count as f32) || quotient.inputs[0] != sum.id.into() {
        return Ok(None);
    }
    let Ok(count) = usize::try_from(count) else { return Ok(None) };
    let kernel = MeanOfLargest { values: shape[top.axis], count };
    Ok(Some(Box::new(Parts { input, nodes: [first.id, sum.id, quotient.id], kernel })))
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.to_vec()
    }

    fn last(&self) -> usize {
        self.nodes[2]
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        rewriting.write_planar(self.last(), self.nodes.len(), self.kernel, "mean of the largest", self.input)
    }
}

/// Input: any values.
impl Kernel for MeanOfLargest {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, output)?)
    }
}
