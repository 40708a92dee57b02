//! The mean of the largest values as it stands in a model: TopK, a sum, a quotient.

use kernels::largest::MeanOfLargest;
use tract_core::internal::*;
use tract_core::ops::array::Topk;
use tract_core::ops::math::Div;
use tract_core::ops::nn::{Reduce, Reducer};

use super::pattern::{only_reader, with_single};

/// The nodes of such a mean.
#[derive(Debug)]
pub(super) struct Parts {
    pub input: OutletId,
    pub nodes: [usize; 3],
    pub kernel: MeanOfLargest,
}

impl Parts {
    /// The mean that starts at `first`.
    pub fn from(model: &TypedModel, first: &TypedNode) -> TractResult<Option<Self>> {
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
        let Some(count) =
            model.outlet_fact(count)?.konst.as_ref().filter(|_| alone && one_row && top.largest)
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
        Ok(Some(Self { input, nodes: [first.id, sum.id, quotient.id], kernel }))
    }
}
