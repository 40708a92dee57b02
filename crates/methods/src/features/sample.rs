//! Random subsets of indices.

use bundle::seeded::Seeded;

const STREAM: u64 = 0xf17;

/// Returns at most `most` of the indices, chosen by the seed, in order.
pub(super) fn some(indices: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let mut chosen = indices.to_vec();
    Seeded::new(seed, STREAM).shuffle(&mut chosen);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}
