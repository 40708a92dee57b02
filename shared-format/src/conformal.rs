//! Chooses the calibration score that becomes the threshold, and computes what the sample lets one claim.
//!
//! Split conformal prediction (Vovk, Gammerman, Shafer: *Algorithmic Learning in a Random World*, 2005): with `n`
//! held-out normals and the threshold at their `k`-th largest score, a new normal from the same process is rejected
//! with probability at most `k / (n + 1)`, whatever the scores' distribution.

/// The chosen order statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The threshold is the `rank`-th largest calibration score (1 = the largest).
    pub rank: u32,
    /// Whether `rank / (n + 1)` is at most the target.
    pub reaches_target: bool,
}

/// Returns the largest rank whose claim stays within `target_fpr`, or rank 1 with `reaches_target: false` if even the
/// largest of `n` scores can't claim it.
#[must_use]
pub fn choose(n: u32, target_fpr: f64) -> Choice {
    // The small addend keeps 0.05 × 100 at 5 despite binary rounding.
    let allowed = (target_fpr * (f64::from(n) + 1.0) + 1e-9) as u32;
    if allowed >= 1 && n >= 1 {
        Choice { rank: allowed.min(n), reaches_target: true }
    } else {
        Choice { rank: 1, reaches_target: false }
    }
}

/// Returns the marginal claim, `rank / (n + 1)`: at most this share of normals is rejected, averaged over calibration
/// samples.
#[must_use]
pub fn marginal_bound(n: u32, rank: u32) -> f64 {
    (f64::from(rank) / (f64::from(n) + 1.0)).min(1.0)
}

/// Returns how many normals are needed for the claim "at most `target_fpr` of the normals are rejected, on average" when the threshold
/// is the largest score; `None` if that is more than a `u32` holds.
#[must_use]
pub fn normals_on_average(target_fpr: f64) -> Option<u32> {
    // A little less: the target may be a 32-bit float just below 0.01.
    let needed = 1.0 / target_fpr * (1.0 - 1e-6) - 1.0;
    (0.0..f64::from(u32::MAX - 1)).contains(&needed).then(|| needed as u32 + 1)
}

/// Returns how many normals are needed for the claim "with `confidence`, fewer than `target_fpr` of the normals are
/// rejected" when the threshold is the largest score: the smallest `n` with `(1 - target_fpr)^n <= 1 - confidence`.
/// `None` if no sample size up to 10 million suffices.
#[must_use]
pub fn normals_for(target_fpr: f64, confidence: f64) -> Option<u32> {
    let mut miss = 1.0;
    for n in 1..=10_000_000 {
        miss *= 1.0 - target_fpr;
        if miss <= 1.0 - confidence {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_normals_as_needed_reach_the_target_and_fewer_dont() {
        for (target, expected) in [(0.01_f32, 99), (0.005, 199), (0.02, 49), (0.05, 19)] {
            assert_eq!(normals_on_average(f64::from(target)), Some(expected));
        }
        for target in [0.5, 0.3, 0.1, 0.05, 0.01, 0.001, 1e-5] {
            let needed = normals_on_average(target).unwrap();
            assert!(choose(needed, target).reaches_target, "{target}: {needed}");
            assert!(!choose(needed - 1, target).reaches_target, "{target}: {needed}");
        }
        for absurd in [0.0, -1.0, 1e-12, f64::NAN] {
            assert_eq!(normals_on_average(absurd), None, "{absurd}");
        }
    }

    #[test]
    fn the_rank_is_the_largest_that_keeps_the_claim() {
        for n in 1..700 {
            for target in [0.001, 0.01, 0.05, 0.1, 0.5] {
                let choice = choose(n, target);
                let claim = marginal_bound(n, choice.rank);
                assert_eq!(choice.reaches_target, claim <= target + 1e-9, "n {n} target {target}");
                if choice.reaches_target && choice.rank < n {
                    assert!(marginal_bound(n, choice.rank + 1) > target, "n {n} target {target}");
                }
            }
        }
    }

    #[test]
    fn published_sample_sizes() {
        assert_eq!(normals_for(0.01, 0.95), Some(299));
        assert_eq!(normals_for(0.001, 0.95), Some(2995));
        assert_eq!(normals_for(0.0, 0.95), None);
        assert_eq!(choose(99, 0.01), Choice { rank: 1, reaches_target: true });
        assert_eq!(choose(98, 0.01), Choice { rank: 1, reaches_target: false });
        assert_eq!(choose(99, 0.05), Choice { rank: 5, reaches_target: true });
    }
}
