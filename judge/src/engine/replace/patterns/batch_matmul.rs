//! A batch of matrices, each less a constant row, times constant matrices.

use kernels::batch_matmul::BatchMatMul;
use tract_core::internal::*;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math::Sub;

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::chain::{binary_inputs, only_reader};
use crate::engine::replace::op::{Kernel, KernelInputs};

/// The nodes of such a product.
struct BatchMatmulMatch {
    input: OutletId,
    nodes: Vec<usize>,
    kernel: BatchMatMul,
}

/// Finds the product whose first node is `first`: a difference or the product itself.
pub(super) fn find(rewriter: &Rewriter<'_>, first: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    let (input, centres, nodes, product) = match binary_inputs::<Sub>(first) {
        Some([x, centres]) => {
            let Some(product) = only_reader(model, first.id)? else { return Ok(None) };
            (x, Some(centres), vec![first.id, product.id], product)
        }
        None => match first.inputs[..] {
            [x, _] => (x, None, vec![first.id], first),
            _ => return Ok(None),
        },
    };
    let (Some(op), &[left, weights]) = (product.op_as::<EinSum>(), &product.inputs[..]) else {
        return Ok(None);
    };
    if op.q_params.is_some() || op.axes != "amk,akn->amn".parse()? {
        return Ok(None);
    }
    let expected = if centres.is_some() { first.id.into() } else { input };
    let fact = model.outlet_fact(input)?;
    let floats = fact.datum_type == f32::datum_type();
    let (Some(&[batch, rows, inputs]), true) = (fact.shape.as_concrete(), left == expected && floats) else {
        return Ok(None);
    };
    let Some(weights) = constant(model, weights)? else { return Ok(None) };
    let &[_, _, outputs] = weights.shape() else { return Ok(None) };
    let centres = match centres {
        None => None,
        Some(centres) => match constant(model, centres)?.filter(|c| c.shape() == [batch, 1, inputs]) {
            None => return Ok(None),
            centres => centres,
        },
    };
    let weights = weights.try_as_plain_ram()?;
    let centres = centres.as_ref().map(|centres| centres.try_as_plain_ram()).transpose()?;
    let centres = centres.as_ref().map(|centres| centres.as_slice::<f32>()).transpose()?;
    let isa = rewriter.isas.single;
    let kernel = BatchMatMul::new((batch, rows), [inputs, outputs], weights.as_slice::<f32>()?, centres, isa);
    Ok(kernel.ok().map(|kernel| Box::new(BatchMatmulMatch { input, nodes, kernel }) as Box<dyn PatternMatch>))
}

/// Returns a constant batch of matrices of floats.
fn constant(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    let constant = model.outlet_fact(outlet)?.konst.clone();
    Ok(constant.filter(|c| c.rank() == 3 && c.datum_type() == f32::datum_type() && c.len() > 0))
}

impl PatternMatch for BatchMatmulMatch {
    fn nodes(&self) -> Vec<usize> {
        self.nodes.clone()
    }

    fn last(&self) -> usize {
        self.nodes[self.nodes.len() - 1]
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let (last, nodes) = (self.last(), self.nodes.len());
        rewriter.wire_planar_kernel(last, nodes, self.kernel, "batch of products", self.input)
    }
}

impl Kernel for BatchMatMul {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, output)?)
    }
}
