//! Resizing: one matrix for the rows, one for the columns.

use kernels::resample::Resample;
use kernels::{Isa, Shape};
use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::only_reader;
use crate::engine::replace::op::{Kernel, KernelInputs};
use crate::engine::replace::shapes::image_shape;

/// rows · image · columnsᵀ.
struct ResizeMatch {
    image: OutletId,
    nodes: [usize; 2],
    shape: Shape,
    rows: Arc<Tensor>,
    /// Input width × output width.
    columns: Arc<Tensor>,
}

/// Finds the resizing that starts with the product `first`, along either axis.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
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
    let Some(shape) = image_shape(model, x)? else { return Ok(None) };
    let fits = half == first.id.into();
    let matched = ResizeMatch { image: x, nodes: [first.id, last.id], shape, rows, columns };
    let reads = matched.is_one_plane() || rewriter.is_channels_last(x);
    Ok((fits && reads).then(|| Box::new(matched) as Box<dyn PatternMatch>))
}

impl ResizeMatch {
    /// Returns whether there is one channel, for which planar and channels last are the same.
    const fn is_one_plane(&self) -> bool {
        self.shape.channels == 1
    }

    fn kernel(&self, isa: Isa) -> TractResult<Resample> {
        let (rows, columns) = (self.rows.try_as_plain_ram()?, self.columns.try_as_plain_ram()?);
        let (rows, columns) = (rows.as_slice::<f32>()?, columns.as_slice::<f32>()?);
        let (height, width) = (self.rows.shape()[0], self.columns.shape()[1]);
        let transposed: Vec<f32> =
            (0..width).flat_map(|to| columns.iter().skip(to).step_by(width).copied()).collect();
        Ok(Resample::new(self.shape, (height, rows), (width, &transposed), isa)?)
    }
}

impl PatternMatch for ResizeMatch {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.to_vec()
    }

    fn last(&self) -> usize {
        self.nodes[1]
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let kernel = self.kernel(rewriter.isas.single)?;
        let (output, description) = (kernel.output(), "resampling");
        if self.is_one_plane() {
            return rewriter.wire_planar_kernel(self.last(), 2, kernel, description, self.image);
        }
        let inputs = [rewriter.channels_last(self.image)?];
        rewriter.wire_kernel(self.last(), 2, kernel, output, description.to_owned(), &inputs)
    }
}

impl Kernel for Resample {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, output)?)
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
