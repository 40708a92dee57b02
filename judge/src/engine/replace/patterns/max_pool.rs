//! Max pooling of a channels-last image: from planar to planar, tract's own needs no conversions.

use kernels::max_pool::MaxPool;
use tract_core::internal::*;
use tract_core::ops::cnn;

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::op::{Kernel, KernelInputs};
use crate::engine::replace::shapes::{image_shape, window_spec};

struct MaxPoolMatch {
    node: usize,
    kernel: MaxPool,
}

pub(super) fn find(rewriter: &Rewriter<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    if !node.op_is::<cnn::MaxPool>() || !rewriter.is_channels_last(node.inputs[0]) {
        return Ok(None);
    }
    let Some(kernel) = kernel(rewriter, node)? else { return Ok(None) };
    Ok(Some(Box::new(MaxPoolMatch { node: node.id, kernel })))
}

/// Returns the kernel for a max pool, if one can compute it.
pub(super) fn kernel(rewriter: &Rewriter<'_>, node: &TypedNode) -> TractResult<Option<MaxPool>> {
    let Some(pool) = node.op_as::<cnn::MaxPool>().filter(|pool| pool.with_index_outputs.is_none()) else {
        return Ok(None);
    };
    let Some(image) = image_shape(rewriter.source, node.inputs[0])? else { return Ok(None) };
    let spec = window_spec(&pool.pool_spec, image);
    Ok(spec.and_then(|spec| MaxPool::new(spec, rewriter.isas.single).ok()))
}

impl PatternMatch for MaxPoolMatch {
    fn nodes(&self) -> Vec<usize> {
        vec![self.node]
    }

    fn last(&self) -> usize {
        self.node
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let inputs = [rewriter.channels_last(rewriter.source.node(self.node).inputs[0])?];
        let output = self.kernel.output();
        rewriter.wire_kernel(self.node, 1, self.kernel, output, "maximum".to_owned(), &inputs)
    }
}

impl Kernel for MaxPool {
    fn run(&self, inputs: KernelInputs<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(inputs.get(0)?, output)?)
    }
}
