//! Normalisation of an image: the channels' means are subtracted, then each channel is multiplied by its factor.

use kernels::normalise::Normalise;
use tract_core::internal::*;
use tract_core::ops::math::{Mul, Sub};

use super::Part;
use crate::engine::replace::Rewriting;
use crate::engine::replace::chain::{binary, only_reader};
use crate::engine::replace::op::{Images, Kernel};
use crate::engine::replace::shapes::image;

/// The nodes of a normalisation.
struct Parts {
    input: OutletId,
    nodes: [usize; 2],
    kernel: Normalise,
}

/// Finds the normalisation that starts at `first`, of a planar image.
pub(super) fn find(rewriting: &Rewriting<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    let model = rewriting.source;
    let Some([input, means]) = binary::<Sub>(first) else { return Ok(None) };
    if rewriting.is_channels_last(input) {
        return Ok(None);
    }
    let Some(shape) = image(model, input)? else { return Ok(None) };
    let Some(last) = only_reader(model, first.id)? else { return Ok(None) };
    let Some([a, b]) = binary::<Mul>(last) else { return Ok(None) };
    let factors = if a == first.id.into() { b } else { a };
    let (Some(means), Some(factors)) =
        (by_channel(model, means, shape.channels)?, by_channel(model, factors, shape.channels)?)
    else {
        return Ok(None);
    };
    let channels = means.into_iter().zip(factors).map(|(mean, factor)| [mean, factor]).collect();
    let kernel = Normalise { pixels: shape.height * shape.width, channels, path: rewriting.paths.single };
    Ok(Some(Box::new(Parts { input, nodes: [first.id, last.id], kernel })))
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.to_vec()
    }

    fn last(&self) -> usize {
        self.nodes[1]
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        rewriting.write_planar(self.last(), self.nodes.len(), self.kernel, "normalisation", self.input)
    }
}

/// From a planar image to another one.
impl Kernel for Normalise {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, output)?)
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
