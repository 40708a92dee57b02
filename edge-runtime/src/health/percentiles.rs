//! Percentiles of stage times.

use std::time::Duration;

use judge::StageTimes;
use serde::Serialize;

use crate::report::in_ms;

/// Percentiles of one stage, in milliseconds (nearest rank).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 95 % of the frames took at most this.
    pub p95: f64,
    /// 99 % of the frames took at most this.
    pub p99: f64,
    /// The slowest frame.
    pub max: f64,
}

impl Percentiles {
    /// Computes the percentiles of at least one time.
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().map_or(0.0, in_ms)
        };
        Self { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

/// Percentiles by stage.
#[derive(Debug, Serialize)]
pub struct StagePercentiles {
    decode: Percentiles,
    prepare: Percentiles,
    infer: Percentiles,
    decide: Percentiles,
    total: Percentiles,
}

impl StagePercentiles {
    /// Computes the percentiles of the frames' times.
    pub fn of(frames: &[StageTimes]) -> Self {
        let of = |stage: fn(&StageTimes) -> Duration| Percentiles::of(frames.iter().map(stage).collect());
        Self {
            decode: of(|t| t.decode),
            prepare: of(|t| t.prepare),
            infer: of(|t| t.infer),
            decide: of(|t| t.decide),
            total: of(StageTimes::total),
        }
    }

    /// Returns the stages with their names, in the order in which a frame passes them.
    pub const fn named(&self) -> [(&'static str, Percentiles); 5] {
        [
            ("decode", self.decode),
            ("prepare", self.prepare),
            ("infer", self.infer),
            ("decide", self.decide),
            ("total", self.total),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_times() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let all = Percentiles { p50: 100.0, p95: 190.0, p99: 198.0, max: 200.0 };
        assert_eq!(Percentiles::of(times), all);
        let one = Percentiles { p50: 7.0, p95: 7.0, p99: 7.0, max: 7.0 };
        assert_eq!(Percentiles::of(vec![Duration::from_millis(7)]), one);
    }
}
