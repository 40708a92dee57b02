//! What kernels replace: a table of patterns, each in a file of its own with what runs its kernel.

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
    /// The nodes that it stands for.
    fn nodes(&self) -> Vec<usize>;

    /// The one whose value it gives: it is written where that one stands.
    fn last(&self) -> usize;

    /// Writes the operation.
    fn write(self: Box<Self>, rewriting: &mut Rewriting<'_>) -> TractResult<()>;
}

/// Finds the part that starts at a node, the first of its nodes in the order of evaluation.
type Find = fn(&Rewriting<'_>, &TypedNode) -> TractResult<Option<Box<dyn Part>>>;

/// The patterns by name. Of two that start at the same node, the first is taken.
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

/// The first pattern's part that starts at `node`, of nodes that belong to no other.
pub(super) fn find(rewriting: &Rewriting<'_>, node: &TypedNode) -> TractResult<Option<Box<dyn Part>>> {
    for (name, find) in PATTERNS {
        let part = find(rewriting, node).with_context(|| format!("looking for a {name}"))?;
        if let Some(part) = part.filter(|part| !part.nodes().iter().any(|id| rewriting.is_taken(*id))) {
            return Ok(Some(part));
        }
    }
    Ok(None)
}
