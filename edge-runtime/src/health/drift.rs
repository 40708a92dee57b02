//! Detects when good parts no longer look like those of the calibration.
//!
//! If the parts on the belt and those of the calibration come from one process, in any order, the number of the next `m`
//! scores that are above the `k`-th largest of `n` calibration scores follows a Pólya distribution, whatever the
//! distribution of the scores; it accounts for the calibration being a sample itself. An alarm is a number that such
//! parts reach with a probability of at most [`FALSE_ALARM`] at each part, so false alarms come at most once in a million
//! parts on average. Parts that resemble their neighbours more than the rest (one batch, one lamp warming up) are what
//! this is meant to find; the figure does not hold for them.

use std::collections::VecDeque;

use shared_format::Evidence;

use crate::report::significant;

/// Number of scores that are looked at together.
const WINDOW: usize = 200;
/// Probability of a false alarm at each part, for all three tests together.
const FALSE_ALARM: f64 = 1e-6;
const TESTS: f64 = 3.0;

/// The scores of one product's passed parts, compared with those of its calibration.
#[derive(Debug)]
pub struct ScoreDrift {
    evidence: Evidence,
    scores: VecDeque<f32>,
    /// Numbers of scores that raise an alarm: above q95, and beyond q25 or q75.
    tail: usize,
    middle: usize,
}

impl ScoreDrift {
    /// Starts without scores, against the evidence in the bundle's threshold file.
    #[must_use]
    pub fn new(evidence: &Evidence) -> Self {
        let limit =
            |share: f64| alarm_at(evidence.normals, rank_of(evidence.normals, share), FALSE_ALARM / TESTS);
        Self {
            evidence: *evidence,
            scores: VecDeque::with_capacity(WINDOW),
            tail: limit(0.05),
            // The median is outside only if more than half of the scores are, even if fewer would be improbable.
            middle: limit(0.25).max(WINDOW / 2 + 1),
        }
    }

    /// Adds the score that decided a part that passed.
    pub fn add(&mut self, score: f32) {
        if self.scores.len() == WINDOW {
            self.scores.pop_front();
        }
        self.scores.push_back(score);
    }

    /// Returns what differs from the calibration, as a sentence; `None` if nothing does, or before 200 parts.
    #[must_use]
    pub fn alarm(&self) -> Option<String> {
        if self.scores.len() < WINDOW {
            return None;
        }
        let quantiles = &self.evidence.scores;
        let count = |is: &dyn Fn(f32) -> bool| self.scores.iter().filter(|&&score| is(score)).count();
        let tail = count(&|score| score > quantiles.q95);
        let (q25, q75) = (quantiles.q25, quantiles.q75);
        if tail >= self.tail {
            let expected = WINDOW / 20;
            return Some(format!(
                "score drift: {tail} of the last {WINDOW} parts are above the calibration's q95 ({expected} expected)"
            ));
        }
        let beyond = |side: &str, name: &str, quantile: f32| {
            let (median, quantile) = (significant(self.median()), significant(quantile));
            format!(
                "score drift: the median of the last {WINDOW} parts, {median}, is {side} the calibration's {name}, \
                 {quantile}"
            )
        };
        if count(&|score| score > q75) >= self.middle {
            Some(beyond("above", "q75", q75))
        } else if count(&|score| score < q25) >= self.middle {
            Some(beyond("below", "q25", q25))
        } else {
            None
        }
    }

    fn median(&self) -> f32 {
        let mut scores: Vec<f32> = self.scores.iter().copied().collect();
        scores.sort_by(f32::total_cmp);
        scores.get(scores.len() / 2).copied().unwrap_or(f32::NAN)
    }
}

/// Returns the number of calibration scores at or beyond the order statistic next to the quantile that leaves `share`
/// beyond it. A quantile is between two order statistics; this takes the one that makes alarms rarer.
fn rank_of(normals: u32, share: f64) -> u32 {
    let inside = (1.0 - share) * f64::from(normals.saturating_sub(1));
    // The small addend keeps whole numbers whole despite binary rounding.
    normals.saturating_sub((inside + 1e-9) as u32)
}

/// Returns the factors of the probability that none of [`WINDOW`] scores is above the `rank`-th largest of `normals`: one
/// per score, however many normals a threshold file claims.
fn none_above(normals: u32, rank: u32) -> impl ExactSizeIterator<Item = f64> {
    let (n, k) = (f64::from(normals), f64::from(rank));
    (0..WINDOW).map(move |i| (i + 1) as f64).map(move |i| (n - k + i) / (n + i))
}

/// Returns the smallest number of [`WINDOW`] scores above the `rank`-th largest of `normals` that is reached with a
/// probability of at most `alpha`; `WINDOW + 1` if there is none.
fn alarm_at(normals: u32, rank: u32, alpha: f64) -> usize {
    let (m, n, k) = (WINDOW as f64, f64::from(normals), f64::from(rank));
    let mut probability: f64 = none_above(normals, rank).product();
    let mut probabilities = vec![probability];
    for j in (0..WINDOW).map(|j| j as f64) {
        probability *= (j + k) / (j + 1.0) * (m - j) / (m - j + n - k);
        probabilities.push(probability);
    }
    let mut sum = 0.0;
    let surprising = probabilities.iter().rev().take_while(|&&probability| {
        sum += probability;
        sum <= alpha
    });
    WINDOW + 1 - surprising.count()
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;
    use bundle::{Calibrator, ThresholdRule};

    use super::*;

    fn score(random: &mut Seeded) -> f32 {
        (random.below(1 << 20) as f32 / (1 << 20) as f32).powi(3) * 9.0
    }

    fn evidence(normals: usize, random: &mut Seeded) -> Evidence {
        let mut calibrator = Calibrator::new(normals, 1);
        (0..normals).for_each(|_| calibrator.add(String::new(), score(random), &[0.0]));
        calibrator.finish(0.01, ThresholdRule::Claim).unwrap().evidence
    }

    #[test]
    fn the_probabilities_are_those_of_the_polya_distribution() {
        // The probabilities of all numbers of scores above the largest of n normals add up to one.
        for normals in [1, 19, 94, 299] {
            let mut all = 0.0;
            let (mut p, n, k, m) = (1.0, f64::from(normals), 1.0, WINDOW as f64);
            p *= n / (m + n);
            for j in 0..=WINDOW {
                all += p;
                let j = j as f64;
                p *= (j + k) / (j + 1.0) * (m - j) / (m - j + n - k).max(f64::MIN_POSITIVE);
            }
            assert!((all - 1.0).abs() < 1e-9, "{normals}: {all}");
            // All scores above the largest of the calibration: 1 / C(m + n, n), the least likely of all outcomes.
            let least: f64 = (1..=normals).map(|i| f64::from(i) / (m + f64::from(i))).product();
            assert_eq!(alarm_at(normals, 1, least * 1.000_001), WINDOW);
            assert_eq!(alarm_at(normals, 1, least * 0.999_999), WINDOW + 1);
        }
    }

    #[test]
    fn the_work_is_that_of_the_window_and_the_result_that_of_going_through_the_normals() {
        let m = WINDOW as f64;
        for (normals, rank) in [(1, 1), (20, 1), (20, 2), (94, 5), (299, 75), (1000, 1000), (5000, 1250)] {
            let n = f64::from(normals);
            let each: f64 = (0..rank).map(|i| (n - f64::from(i)) / (m + n - f64::from(i))).product();
            let all: f64 = none_above(normals, rank).product();
            assert!((all / each - 1.0).abs() < 1e-9, "{normals} {rank}: {all} {each}");
        }
        let most = u32::MAX;
        assert_eq!(none_above(most, rank_of(most, 0.25)).len(), WINDOW);
        // With this many normals the quantiles are exact: the limits are those of the binomial distribution.
        let limit = |share| alarm_at(most, rank_of(most, share), FALSE_ALARM / TESTS);
        assert_eq!((limit(0.05), limit(0.25)), (29, 83));
    }

    #[test]
    fn alarms_are_where_exact_arithmetic_puts_them() {
        for (normals, tail, middle) in [(20, 126, 164), (94, 60, 114), (299, 40, 95), (1000, 33, 87)] {
            let limit = |share| alarm_at(normals, rank_of(normals, share), FALSE_ALARM / TESTS);
            assert_eq!((limit(0.05), limit(0.25)), (tail, middle), "{normals}");
        }
    }

    #[test]
    fn false_alarms_are_no_more_frequent_than_stated() {
        let mut random = Seeded::new(4, 0);
        for normals in [20, 94, 299] {
            let limit = alarm_at(normals, rank_of(normals, 0.05), 0.05);
            let alarms = (0..2000)
                .filter(|_| {
                    let q95 = evidence(normals as usize, &mut random).scores.q95;
                    (0..WINDOW).filter(|_| score(&mut random) > q95).count() >= limit
                })
                .count();
            // At most 5 % of 2,000, and not merely because none is ever raised.
            assert!((10..=130).contains(&alarms), "{normals}: {alarms} alarms at {limit}");
        }
    }

    #[test]
    fn good_parts_give_no_alarm_and_drifted_ones_do() {
        let mut random = Seeded::new(5, 0);
        let mut drift = ScoreDrift::new(&evidence(299, &mut random));
        for _ in 0..50_000 {
            drift.add(score(&mut random));
            assert_eq!(drift.alarm(), None);
        }
        let mut parts = 0;
        while drift.alarm().is_none() && parts < 1000 {
            drift.add(score(&mut random) + 8.0);
            parts += 1;
        }
        assert!(parts < 100, "{parts}");
        let alarm = drift.alarm().unwrap();
        let found: usize =
            alarm.strip_prefix("score drift: ").unwrap().split(' ').next().unwrap().parse().unwrap();
        let rest = format!(
            "score drift: {found} of the last 200 parts are above the calibration's q95 (10 expected)"
        );
        assert!(alarm == rest && found > 20, "{alarm}");
    }

    #[test]
    fn lower_scores_are_told_by_their_median() {
        let mut random = Seeded::new(6, 0);
        let mut drift = ScoreDrift::new(&evidence(299, &mut random));
        (0..WINDOW).for_each(|_| drift.add(0.001));
        let alarm = drift.alarm().unwrap();
        assert!(
            alarm.contains("the median of the last 200 parts, 0.00100, is below the calibration's q25"),
            "{alarm}"
        );
    }

    #[test]
    fn five_normals_prove_little() {
        let mut random = Seeded::new(7, 0);
        let mut drift = ScoreDrift::new(&evidence(5, &mut random));
        (0..WINDOW).for_each(|i| drift.add(if i % 4 == 0 { 0.5 } else { 100.0 }));
        assert_eq!(drift.alarm(), None);
        (0..WINDOW).for_each(|_| drift.add(100.0));
        assert!(drift.alarm().is_some());
    }
}
