//! The table of patterns that kernels replace. Each file holds a pattern and what runs its kernel.

mod batch_matmul;
mod bottleneck;
mod channel_min;
mod convolution;
mod distance;
mod max_pool;
mod mean_pool;
mod normalise;
mod resize;
mod top_k_mean;

use tract_core::internal::*;

use super::Rewriter;

/// Nodes of a model that match a pattern and become one operation.
pub(super) trait PatternMatch {
    /// Returns the nodes that it replaces.
    fn nodes(&self) -> Vec<usize>;

    /// Returns the node whose value it computes; the operation is written in that node's place.
    fn last(&self) -> usize;

    /// Writes the operation.
    fn rewrite(self: Box<Self>, rewriter: &mut Rewriter<'_>) -> TractResult<()>;
}

/// Finds the match that starts at a node, the first of its nodes in the order of evaluation.
type Find = fn(&Rewriter<'_>, &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>>;

/// The patterns by name. If two match at the same node, the first in the table wins.
const PATTERNS: [(&str, Find); 10] = [
    ("bottleneck", bottleneck::find),
    ("convolution", convolution::find),
    ("maximum", max_pool::find),
    ("mean of windows", mean_pool::find),
    ("resizing", resize::find),
    ("distance", distance::find),
    ("batch of products", batch_matmul::find),
    ("minimum over channels", channel_min::find),
    ("normalisation", normalise::find),
    ("mean of the largest", top_k_mean::find),
];

/// Returns the match of the first pattern that starts at `node` with nodes that belong to no other match.
pub(super) fn find(rewriter: &Rewriter<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn PatternMatch>>> {
    for (name, find) in PATTERNS {
        let matched = find(rewriter, node).with_context(|| format!("while matching the pattern `{name}`"))?;
        if let Some(matched) =
            matched.filter(|matched| !matched.nodes().iter().any(|id| rewriter.is_taken(*id)))
        {
            return Ok(Some(matched));
        }
    }
    Ok(None)
}
