//! Median and spread, which a few odd values hardly move.

use shared_format::RobustStats;

/// The interquartile range of a Gaussian, in deviations.
const QUARTILES: f32 = 1.349;

/// Returns the median of ascending values, and the deviation of a Gaussian with their interquartile range, but at least
/// `min_spread`. Without values, returns [`RobustStats::NEUTRAL`].
#[must_use]
pub fn robust_stats(ascending: &[f32], min_spread: f32) -> RobustStats {
    let Some(last) = ascending.len().checked_sub(1) else { return RobustStats::NEUTRAL };
    let quantile = |quarters: usize| {
        let (at, rest) = (quarters * last / 4, quarters * last % 4);
        let (low, high) = (ascending[at], ascending[(at + 1).min(last)]);
        low + (high - low) * rest as f32 / 4.0
    };
    RobustStats { centre: quantile(2), spread: ((quantile(3) - quantile(1)) / QUARTILES).max(min_spread) }
}
