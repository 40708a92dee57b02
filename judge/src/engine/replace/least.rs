//! The least value of a pixel over the channels of several images, as it stands in a model: minima of two images, then
//! along the channels.

use kernels::least::Least;
use kernels::{Path, Shape};
use tract_core::internal::*;
use tract_core::ops::math::Min;
use tract_core::ops::nn::{Reduce, Reducer};

use super::pattern::{binary, image, only_reader};

/// Images that the kernel takes at once.
pub(super) const MOST: usize = 64;

/// The nodes of a minimum.
#[derive(Debug)]
pub(super) struct Parts {
    pub inputs: Vec<OutletId>,
    pub nodes: Vec<usize>,
    pub last: usize,
    pub image: Shape,
}

impl Parts {
    /// The minimum of which `first` is a node.
    pub fn from(model: &TypedModel, first: &TypedNode) -> TractResult<Option<Self>> {
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
        Ok(Some(Self { inputs, nodes, last: node.id, image: shape }))
    }

    pub fn kernel(&self, path: Path) -> Least {
        let Shape { height, width, channels } = self.image;
        Least { pixels: height * width, channels, path }
    }
}
