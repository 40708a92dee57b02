//! The table of patterns that kernels replace. Each file holds a pattern and what runs its kernel.

mod batch;
mod bottleneck;
mod convolution;
mod distance;
mod largest;
mod least;
mod max_pool;
mod mean_pool;
mod normalise;
mod resize;

use tract_core::internal::*;

use super::Rewriting;

/// Nodes that become one operation.
pub(super) trait Part {
    /// Returns the nodes that it replaces.
    fn nodes(&self) -> Vec<usize>;

    /// Returns the node whose value it computes; the operation is written in that node's place.
    fn last(&self) -> usize;

    /// Writes the operation.
    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()>;
}

/// Finds the part that starts at a node, the first of its nodes in the order of evaluation.
type Find = fn(&Rewriting<'_>, &TypedNode) -> TractResult<Option<Box<dyn Part>>>;

/// The patterns by name. If two match at the same node, the first in the table wins.
const PATTERNS: [(&str, Find); 10] = [
    ("bottleneck", bottleneck::find),
    ("convolution", convolution::find),
    ("maximum", max_pool::find),
    ("mean of windows", mean_pool::find),
    ("resizing", resize::find),
    ("distance", distance::find),
    ("batch of products", batch::find),
    ("minimum over channels", least::find),
    ("normalisation", normalise::find),
    ("mean of the largest", largest::find),
];

/// Returns the first pattern's part that starts at `node`, if none of its nodes belongs to another part.
pub(super) fn find(rewriting: &Rewriting<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    for (name, find) in PATTERNS {
        let part = find(rewriting, node).with_context(|| format!("while matching the pattern `{name}`"))?;
        if let Some(part) = part.filter(|part| !part.nodes().iter().any(|id| rewriting.is_taken(*id))) {
            return Ok(Some(part));
        }
    }
    Ok(None)
}
