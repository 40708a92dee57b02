//! Random subsets of indices.

use bundle::seeded::Seeded;

const STREAM: u64 = 0xf17;

/// Returns at most `max` of the indices, chosen by the seed, in order.
pub(super) fn sample_indices(indices: &[usize], max: usize, seed: u64) -> Vec<usize> {
    let mut chosen = indices.to_vec();
    Seeded::new(seed, STREAM).shuffle(&mut chosen);
    chosen.truncate(max);
    chosen.sort_unstable();
    chosen
}
