//! Resizing: one matrix for the rows, one for the columns.

use kernels::resample::Resample;
use kernels::{Path, Shape};
use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;

use super::Part;
use crate::engine::replace::Rewriting;
use crate::engine::replace::chain::only_reader;
use crate::engine::replace::op::{Images, Kernel};
use crate::engine::replace::shapes::image;

/// rows · image · columnsᵀ.
struct Parts {
    image: OutletId,
    nodes: [usize; 2],
    shape: Shape,
    rows: Arc<Tensor>,
    /// Input width × output width.
    columns: Arc<Tensor>,
}

/// Finds the resizing that starts with the product `first`, along either axis.
pub(super) fn find(rewriting: &Rewriting<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    let model = rewriting.source;
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
    let parts = Parts { image: x, nodes: [first.id, last.id], shape, rows, columns };
    let reads = parts.is_one_plane() || rewriting.is_channels_last(x);
    Ok((fits && reads).then(|| Box::new(parts) as Box<dyn Part>))
}

impl Parts {
    /// Returns whether there is one channel, for which planar and channels last are the same.
    const fn is_one_plane(&self) -> bool {
        self.shape.channels == 1
    }

    fn kernel(&self, path: Path) -> TractResult<Resample> {
        let (rows, columns) = (self.rows.try_as_plain_ram()?, self.columns.try_as_plain_ram()?);
        let (rows, columns) = (rows.as_slice::<f32>()?, columns.as_slice::<f32>()?);
        let (height, width) = (self.rows.shape()[0], self.columns.shape()[1]);
        let transposed: Vec<f32> =
            (0..width).flat_map(|to| columns.iter().skip(to).step_by(width).copied()).collect();
        Ok(Resample::new(self.shape, (height, rows), (width, &transposed), path)?)
    }
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.to_vec()
    }

    fn last(&self) -> usize {
        self.nodes[1]
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        let kernel = self.kernel(rewriting.paths.single)?;
        let (output, words) = (kernel.output(), "resampling");
        if self.is_one_plane() {
            return rewriting.write_planar(self.last(), 2, kernel, words, self.image);
        }
        let inputs = [rewriting.channels_last(self.image)?];
        rewriting.write(self.last(), 2, kernel, output, words.to_owned(), &inputs)
    }
}

impl Kernel for Resample {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, output)?)
    }
}

/// Returns matrix and image of a product that resizes the rows.
fn by_rows(node: &TypedNode) -> TractResult<Option<(OutletId, OutletId)>> {
    product(node, "mk,abkn->abmn")
}

/// Returns image and matrix of a product that resizes the columns.
fn by_columns(node: &TypedNode) -> TractResult<Option<(OutletId, OutletId)>> {
    product(node, "abmk,kn->abmn")
}

/// Returns the factors of a matrix product with these axes.
fn product(node: &TypedNode, axes: &str) -> TractResult<Option<(OutletId, OutletId)>> {
    let (Some(op), &[a, b]) = (node.op_as::<EinSum>(), &node.inputs[..]) else { return Ok(None) };
    Ok((op.q_params.is_none() && op.axes == axes.parse()?).then_some((a, b)))
}

/// Returns a constant matrix of floats.
fn matrix(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    let constant = model.outlet_fact(outlet)?.konst.clone();
    Ok(constant.filter(|c| c.rank() == 2 && c.datum_type() == f32::datum_type() && c.len() > 0))
}
