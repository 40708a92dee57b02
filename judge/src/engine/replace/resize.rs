//! Resizing as it stands in a model: one matrix for the rows, one for the columns. The mean of a window is such a thing, too.

use kernels::resample::Resample;
use kernels::{Path, Shape};
use tract_core::internal::*;
use tract_core::ops::cnn::SumPool;
use tract_core::ops::einsum::EinSum;

use super::pattern::{image, only_reader, window};

/// Means of fewer channels stay tract's.
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
        let Some(shape) = image(model, x)? else { return Ok(None) };
        let fits = half == first.id.into();
        Ok(fits.then_some(Self { image: x, last: last.id, shape, rows, columns }))
    }

    /// With one channel, planar and channels last are the same.
    pub const fn is_one_plane(&self) -> bool {
        self.shape.channels == 1
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

/// The mean over each window of an image, as one matrix for each axis; `None` where it is no such mean.
pub(super) fn mean(
    model: &TypedModel,
    node: &TypedNode,
    pool: &SumPool,
    path: Path,
) -> TractResult<Option<Resample>> {
    let Some(input) = image(model, node.inputs[0])?.filter(|shape| shape.channels >= LEAST_CHANNELS) else {
        return Ok(None);
    };
    let Some(spec) = window(&pool.pool_spec, input).filter(|_| pool.normalize) else { return Ok(None) };
    let Some(output) = image(model, node.id.into())? else { return Ok(None) };
    let matrix = |axis: usize, from: usize, to: usize| {
        let mut matrix = vec![0f32; from * to];
        for (index, row) in matrix.chunks_exact_mut(from).enumerate() {
            let start = index * spec.stride[axis];
            let [before, end] =
                [start, start + spec.kernel[axis]].map(|at| at.saturating_sub(spec.padding[axis][0]));
            let inside = before.min(from)..end.min(from);
            let count = if pool.count_include_pad { spec.kernel[axis] } else { inside.len().max(1) };
            row[inside].fill(1.0 / count as f32);
        }
        matrix
    };
    let rows = matrix(0, input.height, output.height);
    let columns = matrix(1, input.width, output.width);
    Ok(Resample::new(input, (output.height, &rows), (output.width, &columns), path).ok())
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
