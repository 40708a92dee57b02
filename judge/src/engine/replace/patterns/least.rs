//! The minimum per pixel over the channels of several images: minima of two images, then along the channels.

use kernels::Shape;
use kernels::least::Least;
use tract_core::internal::*;
use tract_core::ops::math::Min;
use tract_core::ops::nn::{Reduce, Reducer};

use super::Part;
use crate::engine::replace::Rewriting;
use crate::engine::replace::chain::{binary, only_reader};
use crate::engine::replace::op::{Images, Kernel};
use crate::engine::replace::shapes::image;

/// Maximum number of images that the kernel takes.
const MOST: usize = 64;

/// The nodes of a minimum.
struct Parts {
    inputs: Vec<OutletId>,
    nodes: Vec<usize>,
    last: usize,
    image: Shape,
}

/// Finds the minimum that contains the node `first`.
pub(super) fn find(rewriting: &Rewriting<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    let model = rewriting.source;
    let mut node = first;
    while binary::<Min>(node).is_some() {
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
        match binary::<Min>(above) {
            Some(pair) if only_reader(model, above.id)?.is_some() => {
                nodes.push(above.id);
                open.extend(pair);
            }
            _ => inputs.push(outlet),
        }
    }
    let Some(shape) = image(model, node.inputs[0])?.filter(|_| inputs.len() <= MOST) else {
        return Ok(None);
    };
    for &input in &inputs {
        if image(model, input)? != Some(shape) || model.outlet_fact(input)?.konst.is_some() {
            return Ok(None);
        }
    }
    if !inputs.iter().any(|&input| rewriting.is_channels_last(input)) {
        return Ok(None);
    }
    Ok(Some(Box::new(Parts { inputs, nodes, last: node.id, image: shape })))
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.clone()
    }

    fn last(&self) -> usize {
        self.last
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        let inputs: TVec<OutletId> =
            self.inputs.iter().map(|&input| rewriting.channels_last(input)).collect::<TractResult<_>>()?;
        let Shape { height, width, channels } = self.image;
        let kernel = Least { pixels: height * width, channels, path: rewriting.paths.single };
        let output = Shape { channels: 1, ..self.image };
        let words = "minimum over channels".to_owned();
        rewriting.write(self.last, self.nodes.len(), kernel, output, words, &inputs)
    }
}

impl Kernel for Least {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        // Uses the stack, so that a frame allocates nothing.
        let mut room = [&[][..]; MOST];
        let room = room.get_mut(..images.len()).context("it has too many inputs")?;
        for (slot, image) in room.iter_mut().enumerate() {
            *image = images.get(slot)?;
        }
        Ok(self.run(room, output)?)
    }
}
