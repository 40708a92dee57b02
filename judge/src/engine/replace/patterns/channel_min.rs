//! The minimum per pixel over the channels of several images: minima of two images, then along the channels.

use kernels::Shape;
use kernels::channel_min::ChannelMin;
use tract_core::internal::*;
use tract_core::ops::math::Min;
use tract_core::ops::nn::{Reduce, Reducer};

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{binary_inputs, only_reader};
use crate::engine::replace::op::{Kernel, KernelInputs};
use crate::engine::replace::shapes::image_shape;

/// Maximum number of images that the kernel takes.
const MAX_INPUTS: usize = 64;

/// The nodes of a minimum.
struct ChannelMinMatch {
    inputs: Vec<OutletId>,
    nodes: Vec<usize>,
    last: usize,
    image: Shape,
}

/// Finds the minimum that contains the node `first`.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    let mut node = first;
    while binary_inputs::<Min>(node).is_some() {
        let Some(reader) = only_reader(model, node.id)? else { return Ok(None) };
        node = reader;
    }
    let Some(reduce) = node.op_as::<Reduce>() else { return Ok(None) };
    if reduce.axes.as_slice() != [1] || reduce.reducer != Reducer::Min {
        return Ok(None);
    }
    let (mut inputs, mut nodes) = (Vec::new(), vec![node.id]);
    let mut open = vec![node.inputs[0]];
    while let Some(outlet) = open.pop() {
        let above = model.node(outlet.node);
        match binary_inputs::<Min>(above) {
            Some(pair) if only_reader(model, above.id)?.is_some() => {
                nodes.push(above.id);
                open.extend(pair);
            }
            _ => inputs.push(outlet),
        }
    }
    let Some(shape) = image_shape(model, node.inputs[0])?.filter(|_| inputs.len() <= MAX_INPUTS) else {
        return Ok(None);
    };
    for &input in &inputs {
        if image_shape(model, input)? != Some(shape) || model.outlet_fact(input)?.konst.is_some() {
            return Ok(None);
        }
    }
    if !inputs.iter().any(|&input| rewriter.is_channels_last(input)) {
        return Ok(None);
    }
    Ok(Some(Box::new(ChannelMinMatch { inputs, nodes, last: node.id, image: shape })))
}

impl PatternMatch for ChannelMinMatch {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.clone()
    }

    fn last(&self) -> usize {
        self.last
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let inputs: TVec<OutletId> =
            self.inputs.iter().map(|&input| rewriter.channels_last(input)).collect::<TractResult<_>>()?;
        let Shape { height, width, channels } = self.image;
        let kernel = ChannelMin { pixels: height * width, channels, isa: rewriter.isas.single };
        let output = Shape { channels: 1, ..self.image };
        let description = "minimum over channels".to_owned();
        rewriter.wire_kernel(self.last, self.nodes.len(), kernel, output, description, &inputs)
    }
}

impl Kernel for ChannelMin {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        // Uses the stack, so that a frame allocates nothing.
        let mut slices = [&[][..]; MAX_INPUTS];
        let slices = slices.get_mut(..inputs.len()).context("it has too many inputs")?;
        for (slot, image) in slices.iter_mut().enumerate() {
            *image = inputs.get(slot)?;
        }
        Ok(self.run(slices, output)?)
    }
}
