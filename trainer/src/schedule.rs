//! The training schedule, the paper's or ours: one option that the trained methods share.

use std::f64::consts::PI;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The option's help text.
pub const SCHEDULE_HELP: &str = "published: the paper's; short: ours, for a CPU. Default: short, except for efficientad with a \
                                 patch description network";

/// The schedule that the steps follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The paper's: many small steps
    #[default]
    Published,
    /// Ours, for a CPU: few large steps that become smaller towards the end
    Short,
}

impl Schedule {
    /// Returns the rate of step `step` (from 0) of `total`: half a cosine from `peak` to 0. `None` for the paper's schedule.
    #[must_use]
    pub fn rate(self, peak: f64, step: u64, total: u64) -> Option<f64> {
        (self == Self::Short).then(|| half_cosine(peak, step, total))
    }
}

/// Returns the rate of step `step` (from 0) of `total`, which falls from `peak` along half a cosine to 0.
#[must_use]
pub fn half_cosine(peak: f64, step: u64, total: u64) -> f64 {
    let done = step as f64 / total.max(1) as f64;
    peak * 0.5 * (1.0 + (PI * done.min(1.0)).cos())
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Published => "published",
            Self::Short => "short",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn the_short_one_falls_from_its_peak_to_nothing() {
        let rates: Vec<f64> = (0..=100).filter_map(|step| Schedule::Short.rate(1e-3, step, 100)).collect();
        assert_eq!((rates[0], rates.len()), (1e-3, 101));
        assert!(rates.windows(2).all(|pair| pair[1] < pair[0]), "{rates:?}");
        assert!(rates[100] < 1e-12, "{rates:?}");
        assert_eq!(Schedule::Published.rate(1e-3, 0, 100), None);
    }
}
