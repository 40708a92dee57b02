//! Normalisation of an image: the channels' means are subtracted, then each channel is multiplied by its factor.

use kernels::normalise::Normalise;
use tract_core::internal::*;
use tract_core::ops::math::{Mul, Sub};

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{binary_inputs, only_reader};
use crate::engine::replace::op::{Kernel, KernelInputs};
use crate::engine::replace::shapes::image_shape;

/// The nodes of a normalisation.
struct NormaliseMatch {
    input: OutletId,
    nodes: [usize; 2],
    kernel: Normalise,
}

/// Finds the normalisation that starts at `first`, of a planar image.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    let Some([input, means]) = binary_inputs::<Sub>(first) else { return Ok(None) };
    if rewriter.is_channels_last(input) {
        return Ok(None);
    }
    let Some(shape) = image_shape(model, input)? else { return Ok(None) };
    let Some(last) = only_reader(model, first.id)? else { return Ok(None) };
    let Some([a, b]) = binary_inputs::<Mul>(last) else { return Ok(None) };
    let factors = if a == first.id.into() { b } else { a };
    let (Some(means), Some(factors)) =
        (by_channel(model, means, shape.channels)?, by_channel(model, factors, shape.channels)?)
    else {
        return Ok(None);
    };
    let channels = means.into_iter().zip(factors).map(|(mean, factor)| [mean, factor]).collect();
    let kernel = Normalise { pixels: shape.height * shape.width, channels, isa: rewriter.isas.single };
    Ok(Some(Box::new(NormaliseMatch { input, nodes: [first.id, last.id], kernel })))
}

impl PatternMatch for NormaliseMatch {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.to_vec()
    }

    fn last(&self) -> usize {
        self.nodes[1]
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        rewriter.wire_planar_kernel(self.last(), self.nodes.len(), self.kernel, "normalisation", self.input)
    }
}

/// From a planar image to another one.
impl Kernel for Normalise {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, output)?)
    }
}

/// Returns a constant with one value per channel.
fn by_channel(model: &TypedModel, outlet: OutletId, channels: usize) -> TractResult<Option<Vec<f32>>> {
    let fact = model.outlet_fact(outlet)?;
    let Some(value) = fact.konst.as_ref().filter(|value| value.datum_type() == f32::datum_type()) else {
        return Ok(None);
    };
    let fits = value.shape() == [1, channels, 1, 1];
    Ok(if fits { Some(value.try_as_plain_ram()?.as_slice::<f32>()?.to_vec()) } else { None })
}
