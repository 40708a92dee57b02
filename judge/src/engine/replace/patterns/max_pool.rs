//! Max pooling of a channels-last image: from planar to planar, tract's own needs no conversions.

use kernels::pool::MaxPool;
use tract_core::internal::*;
use tract_core::ops::cnn;

use super::Part;
use crate::engine::replace::Rewriting;
use crate::engine::replace::op::{Images, Kernel};
use crate::engine::replace::shapes::{image, window};

struct Parts {
    node: usize,
    kernel: MaxPool,
}

pub(super) fn find(rewriting: &Rewriting<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    if !node.op_is::<cnn::MaxPool>() || !rewriting.is_channels_last(node.inputs[0]) {
        return Ok(None);
    }
    let Some(kernel) = kernel(rewriting, node)? else { return Ok(None) };
    Ok(Some(Box::new(Parts { node: node.id, kernel })))
}

/// Returns the kernel for a max pool, if one can compute it.
pub(super) fn kernel(rewriting: &Rewriting<'_>, node: &TypedNode) -> TractResult<Option<MaxPool>> {
    let Some(pool) = node.op_as::<cnn::MaxPool>().filter(|pool| pool.with_index_outputs.is_none()) else {
        return Ok(None);
    };
    let Some(image) = image(rewriting.source, node.inputs[0])? else { return Ok(None) };
    let spec = window(&pool.pool_spec, image);
    Ok(spec.and_then(|spec| MaxPool::new(spec, rewriting.paths.single).ok()))
}

impl Part for Parts {
    fn nodes(&self) -> Vec<usize> {
        vec![self.node]
    }

    fn last(&self) -> usize {
        self.node
    }

    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()> {
        let inputs = [rewriting.channels_last(rewriting.source.node(self.node).inputs[0])?];
        let output = self.kernel.output();
        rewriting.write(self.node, 1, self.kernel, output, "maximum".to_owned(), &inputs)
    }
}

impl Kernel for MaxPool {
    fn run(&self, images: Images<'_>, output: &mut [f32]) -> TractResult<()> {
        Ok(self.run(images.get(0)?, output)?)
    }
}
