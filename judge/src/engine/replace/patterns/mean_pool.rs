//! Mean pooling of a channels-last image: one matrix per axis, as in [`resize`](super::resize).

use kernels::resample::Resample;
use tract_core::internal::*;
use tract_core::ops::cnn::SumPool;

use super::PatternMatch;
use crate::engine::replace::Rewriter;
use crate::engine::replace::shapes::{image_shape, window_spec};

/// With fewer channels, mean pooling stays with tract.
const MIN_CHANNELS: usize = 8;

struct MeanPoolMatch {
    node: usize,
    kernel: Resample,
}

pub(super) fn find(rewriter: &Rewriter<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    let model = rewriter.source;
    let Some(pool) = node.op_as::<SumPool>() else { return Ok(None) };
    let outlet = node.inputs[0];
    let input = image_shape(model, outlet)?.filter(|shape| shape.channels >= MIN_CHANNELS);
    let Some(input) = input.filter(|_| rewriter.is_channels_last(outlet)) else { return Ok(None) };
    let Some(spec) = window_spec(&pool.pool_spec, input).filter(|_| pool.normalize) else { return Ok(None) };
    let Some(output) = image_shape(model, node.id.into())? else { return Ok(None) };
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
    let isa = rewriter.isas.single;
    let kernel = Resample::new(input, (output.height, &rows), (output.width, &columns), isa);
    let Ok(kernel) = kernel else { return Ok(None) };
    Ok(Some(Box::new(MeanPoolMatch { node: node.id, kernel })))
}

impl PatternMatch for MeanPoolMatch {
    fn nodes(&self) -> Vec<usize> {
        vec![self.node]
    }

    fn last(&self) -> usize {
        self.node
    }

    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()> {
        let inputs = [rewriter.channels_last(rewriter.source.node(self.node).inputs[0])?];
        let output = self.kernel.output();
        rewriter.wire_kernel(self.node, 1, self.kernel, output, "mean of windows".to_owned(), &inputs)
    }
}
