//! Which passed parts are kept.

use bundle::seeded::Seeded;

use super::store::Limits;
use crate::part::PartNumber;

/// Separates this use of the random numbers from others.
const STREAM: u64 = 0x9a55;

/// The sample of passed parts that is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The share of passed parts, 0 to 1.
    pub share: f64,
    /// Limits on their records.
    pub limits: Limits,
}

impl Sampling {
    /// Returns whether to keep a part if it passes. Parts are chosen at random: every n-th part could always be the one from
    /// the same cavity of a mould. The choice depends on run and part alone.
    #[must_use]
    pub fn includes(&self, run: u64, part: PartNumber) -> bool {
        // 53 bits are what a double can hold.
        let at = Seeded::new(run, STREAM ^ part.rotate_left(17)).next_u64() >> 11;
        (at as f64) < self.share * (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sampling(share: f64) -> Sampling {
        Sampling { share, limits: Limits { bytes: 1, age: Duration::ZERO } }
    }

    #[test]
    fn the_share_is_kept_evenly_and_the_ends_are_exact() {
        for run in [1, 2, 900] {
            let kept = (1..=100_000).filter(|&part| sampling(0.01).includes(run, part)).count();
            assert!((900..1100).contains(&kept), "{kept}");
            // Each of eight cavities alike.
            for cavity in 0..8 {
                let parts = (0..100_000).map(|lap| lap * 8 + cavity);
                let kept = parts.filter(|&part| sampling(0.01).includes(run, part)).count();
                assert!((850..1150).contains(&kept), "{kept}");
            }
            assert!((1..1000).all(|part| sampling(1.0).includes(run, part)));
            assert!(!(1..1000).any(|part| sampling(0.0).includes(run, part)));
        }
    }
}
