//! Which bundle a board is to run.

use sha2::{Digest as _, Sha256};

use crate::index::{Index, IndexedBundle, Rollout};

/// What an index wants of a product on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'i> {
    /// No roll-out names the product.
    Nothing,
    /// The board's turn has not come, or the roll-out is on hold: it keeps what it has.
    Keep(&'i IndexedBundle),
    /// The board is to run this bundle.
    Run(&'i IndexedBundle),
    /// A board that runs this bundle is to go back to what it ran before.
    GoBack(&'i IndexedBundle),
}

impl Index {
    /// Returns what is wanted of a product on a board.
    #[must_use]
    pub fn wanted(&self, product: &str, board: &str, group: Option<&str>) -> Wanted<'_> {
        let Some(rollout) = self.rollout(product, group) else { return Wanted::Nothing };
        let Some(bundle) = self.bundle(&rollout.name, rollout.serial) else { return Wanted::Nothing };
        if rollout.withdrawn {
            Wanted::GoBack(bundle)
        } else if rollout.hold || share(board) >= f64::from(rollout.percent) {
            Wanted::Keep(bundle)
        } else {
            Wanted::Run(bundle)
        }
    }

    /// Returns the roll-out of a product for a group: its own, or the one for all boards.
    #[must_use]
    pub fn rollout(&self, product: &str, group: Option<&str>) -> Option<&Rollout> {
        let of = |group: Option<&str>| {
            self.rollouts.iter().find(|it| it.product == product && it.group.as_deref() == group)
        };
        group.and_then(|group| of(Some(group))).or_else(|| of(None))
    }
}

/// Returns where a board stands in every roll-out, from 0 up to but not 100: its turn comes when the percentage is above that. It depends on
/// the board's name alone, so that the first boards of one roll-out are the first of all; groups choose others.
#[must_use]
pub fn share(board: &str) -> f64 {
    let hash: [u8; 32] = Sha256::digest(board.as_bytes()).into();
    let first = hash.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    f64::from(first) / f64::from(u32::MAX) * (100.0 - 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::tests::{bundle, index, rollout};

    #[test]
    fn boards_are_spread_evenly_and_stay_where_they_are() {
        let shares: Vec<f64> = (0..10_000).map(|n| share(&format!("line{n}"))).collect();
        for percent in [1, 10, 25, 50, 90] {
            let below = shares.iter().filter(|share| **share < f64::from(percent)).count();
            let off = (below as f64 / 100.0 - f64::from(percent)).abs();
            // Four standard deviations of a binomial distribution are at most 2 %.
            assert!(off < 2.0, "{below} of 10,000 for {percent} %");
        }
        assert!(shares.iter().all(|share| (0.0..100.0).contains(share)));
        // A board must stay where it was when its program is updated.
        assert!((share("line1") - 50.5239).abs() < 1e-3, "{}", share("line1"));
    }

    #[test]
    fn a_groups_own_rollout_comes_before_that_for_all() {
        let mut index = index();
        let (one, two) = (bundle(1), bundle(2));
        // line1 stands at 50.5.
        let wanted = |index: &Index, group| match index.wanted("red cap", "line1", group) {
            Wanted::Nothing => ("nothing", 0),
            Wanted::Keep(bundle) => ("keep", bundle.serial),
            Wanted::Run(bundle) => ("run", bundle.serial),
            Wanted::GoBack(bundle) => ("back", bundle.serial),
        };
        assert_eq!(wanted(&index, None), ("run", one.serial));
        assert_eq!(wanted(&index, Some("others")), ("run", 1));
        assert_eq!(wanted(&index, Some("pilot")), ("keep", two.serial));
        index.rollouts[1] = rollout(Some("pilot"), 2, 51);
        assert_eq!(wanted(&index, Some("pilot")), ("run", 2));
        index.rollouts[1].hold = true;
        assert_eq!(wanted(&index, Some("pilot")), ("keep", 2));
        index.rollouts[1].withdrawn = true;
        assert_eq!(wanted(&index, Some("pilot")), ("back", 2));
        index.rollouts[0].percent = 0;
        assert_eq!(wanted(&index, None), ("keep", 1));
        assert_eq!(index.wanted("cap", "line1", None), Wanted::Nothing);
    }
}
