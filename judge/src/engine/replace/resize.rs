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
    /// The resizing that starts with the product `first`, of either axis.
    pub fn from(model: &TypedModel, first: &TypedNode) -> TractResult<Option<Self>> {
        let Some(last) = only_reader(model, first.id)? else { return Ok(None) };
        let products = [by_rows(first)?.zip(by_columns(last)?), by_columns(first)?.zip(by_rows(last)?)];
        let (x, half, rows, columns) = match products {
            [Some(((rows, x), (half, columns))), _] => (x, half, rows, columns),
            [_, Some(((x, columns), (rows, half)))] => (x, half, rows, columns),
            _ => return Ok(None),
        };
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

/// Matrix and image of a product that resizes the rows.
fn by_rows(node: &TypedNode) -> TractResult<Option<(OutletId, OutletId)>> {
    product(node, "mk,abkn->abmn")
}

/// Image and matrix of a product that resizes the columns.
fn by_columns(node: &TypedNode) -> TractResult<Option<(OutletId, OutletId)>> {
    product(node, "abmk,kn->abmn")
}

/// The factors of a matrix product with these axes.
fn product(node: &TypedNode, axes: &str) -> TractResult<Option<(OutletId, OutletId)>> {
    let (Some(op), &[a, b]) = (node.op_as::<EinSum>(), &node.inputs[..]) else { return Ok(None) };
    Ok((op.q_params.is_none() && op.axes == axes.parse()?).then_some((a, b)))
}

/// A constant matrix of floats.
fn matrix(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    let constant = model.outlet_fact(outlet)?.konst.clone();
    Ok(constant.filter(|c| c.rank() == 2 && c.datum_type() == f32::datum_type() && c.len() > 0))
}
