//! Splits normals into three disjoint sets: for training, for choosing the checkpoint, and for calibration.

use crate::seeded::Seeded;

/// Minimum number of usable normals for training.
pub const MIN_NORMALS: usize = 5;
const STREAM: u64 = 0x5911;

/// Indices into a list of normals; every index is in exactly one set, and each set is in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Trains the network: about 70 %.
    pub fit: Vec<usize>,
    /// Chooses the checkpoint: about 10 %.
    pub selection: Vec<usize>,
    /// Sets the threshold and nothing else: about 20 %.
    pub calibration: Vec<usize>,
}

/// Splits `n` normals (at least [`MIN_NORMALS`]) by `seed`.
#[must_use]
pub fn split(n: usize, seed: u64) -> Split {
    let mut order: Vec<usize> = (0..n).collect();
    Seeded::new(seed, STREAM).shuffle(&mut order);
    let calibration = (n / 5).max(1);
    let selection = (n / 10).max(1);
    let mut take = |count: usize| {
        let mut set = order.split_off(order.len().saturating_sub(count));
        set.sort_unstable();
        set
    };
    let (calibration, selection) = (take(calibration), take(selection));
    Split { fit: take(n), selection, calibration }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_normal_is_in_exactly_one_set() {
        for n in MIN_NORMALS..200 {
            for seed in 0..3 {
                let s = split(n, seed);
                let mut all = [s.fit.clone(), s.selection.clone(), s.calibration.clone()].concat();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..n), "n {n}");
                assert!(s.fit.len() >= 3 && !s.selection.is_empty() && !s.calibration.is_empty());
            }
        }
        assert_eq!(split(100, 7), split(100, 7));
        assert_ne!(split(100, 7), split(100, 8));
        assert_eq!(split(100, 0).fit.len(), 70);
    }
}
