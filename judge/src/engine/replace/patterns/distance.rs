//! The distance of two images' features along the channels: ‖a − b‖² or ‖a/‖a‖ − b/‖b‖‖².

use kernels::Shape;
use kernels::distance::Distance;
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::math::{Div, Max, Mul, Sqrt, Square, Sub};
use tract_core::ops::nn::{Reduce, Reducer};

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{binary_inputs, scalar_constant};
use crate::engine::replace::op::{Kernel, KernelInputs};
use crate::engine::replace::shapes::image_shape;

/// The nodes of a distance.
struct DistanceMatch {
    inputs: [OutletId; 2],
    image: Shape,
    nodes: Vec<usize>,
    last: usize,
    /// The smallest norm to divide by; `None` if the features are not normalised.
    floor: Option<f32>,
}

/// Finds the distance whose first node is `first`.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    // Searched for from its end: the sum of the difference's squares.
    if squared(first).is_none() && binary_inputs::<Sub>(first).is_none() {
        return Ok(None);
    }
    let mut found = None;
    let mut node = first;
    // Square, sum, root, maximum, quotient, difference, square, sum.
    for _ in 0..8 {
        let Some(next) = node.outputs.first().and_then(|output| output.successors.first()) else { break };
        node = model.node(next.node);
        if let Some(matched) = DistanceMatch::ending_at(model, node)? {
            found = Some(matched).filter(|matched| matched.nodes.contains(&first.id));
            break;
        }
    }
    let found = found.filter(|matched| matched.inputs.iter().any(|&input| rewriter.is_channels_last(input)));
    Ok(found.map(|matched| Box::new(matched) as Box<dyn PatternMatch>))
}

impl DistanceMatch {
    fn ending_at(model: &TypedModel, end: &TypedNode) -> TractResult<Option<Self>> {
        let Some(squares) = channel_sum(end) else { return Ok(None) };
        let squares = model.node(squares.node);
        let Some(difference) = squared(squares) else { return Ok(None) };
        let difference = model.node(difference.node);
        let Some([a, b]) = binary_inputs::<Sub>(difference) else { return Ok(None) };
        let (own, mut nodes) = ([end.id, squares.id, difference.id], Vec::new());
        let directions = (direction(model, a, &mut nodes)?, direction(model, b, &mut nodes)?);
        let (inputs, floor) = match directions {
            (Some((a, a_floor)), Some((b, b_floor))) if a_floor == b_floor => ([a, b], Some(a_floor)),
            _ => {
                nodes.clear();
                ([a, b], None)
            }
        };
        nodes.extend(own);
        let [of_a, of_b] = [image_shape(model, inputs[0])?, image_shape(model, inputs[1])?];
        let Some(image) = of_a.filter(|_| of_a == of_b && inputs[0] != inputs[1]) else {
            return Ok(None);
        };
        // The intermediate values are no longer computed, so they must have no other readers.
        let outputs = model.output_outlets()?;
        for &id in nodes.iter().filter(|&&id| id != end.id) {
            let outlet = OutletId::from(id);
            let readers = &model.node(id).outputs[0].successors;
            if outputs.contains(&outlet) || !readers.iter().all(|reader| nodes.contains(&reader.node)) {
                return Ok(None);
            }
        }
        Ok(Some(Self { inputs, image, nodes, last: end.id, floor }))
    }
}

impl PatternMatch for DistanceMatch {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.clone()
    }

    fn last(&self) -> usize {
        self.last
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let inputs = [rewriter.channels_last(self.inputs[0])?, rewriter.channels_last(self.inputs[1])?];
        let Shape { height, width, channels } = self.image;
        let isa = rewriter.isas.single;
        let kernel = Distance { pixels: height * width, channels, floor: self.floor, isa };
        let description = if self.floor.is_some() { "distance of directions" } else { "distance" };
        let output = Shape { channels: 1, ..self.image };
        rewriter.wire_kernel(self.last, self.nodes.len(), kernel, output, description.to_owned(), &inputs)
    }
}

impl Kernel for Distance {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, inputs.get(1)?, output)?)
    }
}

/// Matches x / max(√Σ x², floor) and returns x and the floor. Appends the nodes to `nodes`.
fn direction(
    model: &TypedModel,
    quotient: OutletId,
    nodes: &mut Vec<usize>,
) -> TractResult<Option<(OutletId, f32)>> {
    let quotient = model.node(quotient.node);
    let Some([x, length]) = binary_inputs::<Div>(quotient) else { return Ok(None) };
    let maximum = model.node(length.node);
    let Some([left, right]) = binary_inputs::<Max>(maximum) else { return Ok(None) };
    let (root, floor) = match (scalar_constant(model, left)?, scalar_constant(model, right)?) {
        (None, Some(floor)) => (left, floor),
        (Some(floor), None) => (right, floor),
        _ => return Ok(None),
    };
    let root = model.node(root.node);
    let (Some(op), &[sum]) = (root.op_as::<ElementWiseOp>(), &root.inputs[..]) else { return Ok(None) };
    let sum = model.node(sum.node);
    let (true, Some(squares)) = (op.0.is::<Sqrt>(), channel_sum(sum)) else { return Ok(None) };
    let squares = model.node(squares.node);
    if squared(squares) != Some(x) {
        return Ok(None);
    }
    nodes.extend([quotient.id, maximum.id, root.id, sum.id, squares.id]);
    Ok(Some((x, floor)))
}

/// Returns the input of a sum over the channels.
fn channel_sum(node: &TypedNode) -> Option<OutletId> {
    let reduce = node.op_as::<Reduce>()?;
    (reduce.axes.as_slice() == [1] && reduce.reducer == Reducer::Sum).then(|| node.inputs[0])
}

/// Returns the input of a square.
fn squared(node: &TypedNode) -> Option<OutletId> {
    let square = node.op_as::<ElementWiseOp>().is_some_and(|op| op.0.is::<Square>());
    let product = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<Mul>());
    match node.inputs[..] {
        [x] if square => Some(x),
        [x, y] if product && x == y => Some(x),
        _ => None,
    }
}
