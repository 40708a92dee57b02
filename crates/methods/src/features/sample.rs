//! A few of many.

use bundle::seeded::Seeded;

const STREAM: u64 = 0xf17;

/// At most `most` of the indices, chosen by the seed, in order.
pub(super) fn some(indices: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let mut chosen = indices.to_vec();
    Seeded::new(seed, STREAM).shuffle(&mut chosen);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}
