//! Chooses the samples of each step.

use bundle::seeded::Seeded;

/// Number of samples in a batch for evaluation.
const EVALUATION_BATCH: usize = 16;

/// Returns the samples of a step: each epoch is a new seeded shuffle of all samples, and epochs follow each other without
/// a gap. Depends only on its arguments, so a resumed run sees the same samples as an uninterrupted one.
#[must_use]
pub fn batch_indices(count: usize, batch: usize, step: u64, seed: u64) -> Vec<usize> {
    let first = step as usize * batch;
    let mut epoch = usize::MAX;
    let mut order: Vec<usize> = vec![];
    (first..first + batch)
        .map(|position| {
            if position / count != epoch {
                epoch = position / count;
                order = permuted(count, seed, epoch as u64);
            }
            order[position % count]
        })
        .collect()
}

/// Returns batches of consecutive samples, for results that don't depend on how samples are batched.
pub fn in_order(count: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..count)
        .step_by(EVALUATION_BATCH)
        .map(move |first| (first..(first + EVALUATION_BATCH).min(count)).collect())
}

/// Returns all samples in an order that differs from that of every epoch.
#[must_use]
pub fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    permuted(count, seed, u64::MAX)
}

fn permuted(count: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    Seeded::new(seed, stream).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_every_sample_once() {
        let seen: Vec<usize> = (0..10).flat_map(|step| batch_indices(20, 8, step, 3)).collect();
        for epoch in seen.chunks(20) {
            let mut epoch = epoch.to_vec();
            epoch.sort_unstable();
            assert!(epoch.into_iter().eq(0..20));
        }
        assert_ne!(seen[..20], seen[20..40]);
        // With fewer samples than a batch, the batch repeats them.
        assert_eq!(batch_indices(3, 8, 0, 0).len(), 8);
    }

    #[test]
    fn batches_for_statistics_mix_what_lies_side_by_side() {
        let order = shuffled(64, 0);
        assert!((0..64).all(|sample| order.contains(&sample)) && order.len() == 64);
        for batch in order.chunks(8) {
            let (first, last) = (batch.iter().min().unwrap(), batch.iter().max().unwrap());
            assert!(last - first > 16, "{batch:?}");
        }
    }
}
