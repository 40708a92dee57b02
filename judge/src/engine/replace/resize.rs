//! Resizing as it stands in a model: one matrix for the rows, one for the columns.

use kernels::resample::Resample;
use kernels::{Path, Shape};
use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;

use super::pattern::{image, only_reader};

/// Fewer channels don't fill a vector: tract's products are faster then.
const LEAST_CHANNELS: usize = 8;

/// rows · image · columnsᵀ.
#[derive(Debug)]
pub(super) struct Resize {
    pub image: OutletId,
    pub last: usize,
    shape: Shape,
    rows: Arc<Tensor>,
    /// Input width × output width.
    columns: Arc<Tensor>,
}

impl Resize {
    /// The resizing that starts with the product `first`.
    pub fn from(model: &TypedModel, first: &TypedNode) -> TractResult<Option<Self>> {
        let Some([rows, x]) = product(first, "mk,abkn->abmn")? else { return Ok(None) };
        let Some(last) = only_reader(model, first.id)? else { return Ok(None) };
        let Some([half, columns]) = product(last, "abmk,kn->abmn")? else { return Ok(None) };
        let (Some(rows), Some(columns)) = (matrix(model, rows)?, matrix(model, columns)?) else {
            return Ok(None);
        };
        let Some(shape) = image(model, x)?.filter(|shape| shape.channels >= LEAST_CHANNELS) else {
            return Ok(None);
        };
        let fits = half == first.id.into();
        Ok(fits.then_some(Self { image: x, last: last.id, shape, rows, columns }))
    }

    pub fn kernel(&self, path: Path) -> TractResult<Resample> {
        let (rows, columns) = (self.rows.try_as_plain_ram()?, self.columns.try_as_plain_ram()?);
        let (rows, columns) = (rows.as_slice::<f32>()?, columns.as_slice::<f32>()?);
        let (height, width) = (self.rows.shape()[0], self.columns.shape()[1]);
        let transposed: Vec<f32> =
            (0..width).flat_map(|to| columns.iter().skip(to).step_by(width).copied()).collect();
        Resample::new(self.shape, (height, rows), (width, &transposed), path).map_err(|e| format_err!("{e}"))
    }
}

/// The factors of a matrix product with these axes.
fn product(node: &TypedNode, axes: &str) -> TractResult<Option<[OutletId; 2]>> {
    let Some(op) = node.op_as::<EinSum>() else { return Ok(None) };
    let same = op.q_params.is_none() && op.axes == axes.parse()?;
    Ok(node.inputs.as_slice().try_into().ok().filter(|_| same))
}

/// A constant matrix of floats.
fn matrix(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    let constant = model.outlet_fact(outlet)?.konst.clone();
    Ok(constant.filter(|c| c.rank() == 2 && c.datum_type() == f32::datum_type() && c.len() > 0))
}
