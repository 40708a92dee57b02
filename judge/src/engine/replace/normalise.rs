//! An image's normalisation as it stands in a model: less the channels' means, times their factors.

use kernels::Path;
use kernels::normalise::Normalise;
use tract_core::internal::*;
use tract_core::ops::math::{Mul, Sub};

use super::pattern::{binary, image, only_reader};

/// The nodes of a normalisation.
#[derive(Debug)]
pub(super) struct Parts {
    pub input: OutletId,
    pub nodes: [usize; 2],
    pub kernel: Normalise,
}

impl Parts {
    /// The normalisation that starts at `first`.
    pub fn from(model: &TypedModel, first: &TypedNode, path: Path) -> TractResult<Option<Self>> {
        let Some([input, means]) = binary::<Sub>(first) else { return Ok(None) };
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
        let kernel = Normalise { pixels: shape.height * shape.width, channels, path };
        Ok(Some(Self { input, nodes: [first.id, last.id], kernel }))
    }
}

/// A constant with one value for each channel.
fn by_channel(model: &TypedModel, outlet: OutletId, channels: usize) -> TractResult<Option<Vec<f32>>> {
    let fact = model.outlet_fact(outlet)?;
    let Some(value) = fact.konst.as_ref().filter(|value| value.datum_type() == f32::datum_type()) else {
        return Ok(None);
    };
    let fits = value.shape() == [1, channels, 1, 1];
    Ok(if fits { Some(value.try_as_plain_ram()?.as_slice::<f32>()?.to_vec()) } else { None })
}
