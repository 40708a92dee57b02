//! Likeness to taught defects beside the score learned from good parts, under one budget of false alarms.
//!
//! A joint score stands for both: max(score, scale · likeness + offset). There are two ways to choose its scale, offset and threshold:
//!
//! - *Two limits*: each score has its own order statistic of the same normals, and together they may reject as many of them as a
//!   single limit could. A part is rejected if either says so, so by the union bound its false alarms are at most the sum of both
//!   shares. One odd normal spoils only one of the limits.
//! - *One limit*: both scores are standardised by median and interquartile range, and the threshold is an order statistic of the
//!   larger. It needs half as many normals for the same target, and spends the budget where it finds most.
//!
//! From eight taught defects on, two limits are chosen if they find clearly more of them.

use shared_format::{Sample, conformal};

use crate::calibrate::quantile;
use crate::rule::ThresholdRule;
use crate::tail;

/// Fewer taught defects don't choose between one limit and two.
const MIN_EXAMPLES: usize = 8;
/// Two limits must find this share of the taught defects more, and at least two: chance finds one.
const CLEARLY: f64 = 0.1;

/// The joint score and its threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointLimit {
    /// Factor of the likeness; above 0.
    pub scale: f32,
    /// Added to the scaled likeness.
    pub offset: f32,
    /// The limit of the joint score.
    pub threshold: f32,
    /// On average at most rank / (normals + 1) of new normals are rejected; the sum of both ranks if there are two limits.
    pub rank: u32,
    /// Whether that is at most the target.
    pub reaches_target: bool,
    /// Whether a limit is an estimate from the tail of the scores.
    pub is_estimate: bool,
    /// Whether each score has its own limit.
    pub are_two: bool,
}

/// A limit for one score.
struct Limit {
    value: f32,
    rank: u32,
    is_estimate: bool,
}

impl JointLimit {
    /// Chooses from the scores and the likenesses of the same normals, in the same order, and those of taught defects. `None`
    /// without normals.
    #[must_use]
    pub fn choose(
        scores: &[f32],
        likeness: &[f32],
        examples: &[(f32, f32)],
        target_fpr: f64,
        rule: ThresholdRule,
    ) -> Option<Self> {
        let one = Self::one(scores, likeness, target_fpr, rule)?;
        let two = Self::two(scores, likeness, target_fpr, rule)?;
        let found = |limit: &Self| {
            examples
                .iter()
                .filter(|(score, likeness)| limit.joint(*score, *likeness) > limit.threshold)
                .count()
        };
        let more = found(&two).saturating_sub(found(&one));
        let needed = ((CLEARLY * examples.len() as f64).ceil() as usize).max(2);
        let keeps_target = two.reaches_target || !one.reaches_target;
        let takes_two = examples.len() >= MIN_EXAMPLES && more >= needed && keeps_target;
        Some(if takes_two { two } else { one })
    }

    /// Returns the limit of the larger of the two standardised scores.
    #[must_use]
    pub fn one(scores: &[f32], likeness: &[f32], target_fpr: f64, rule: ThresholdRule) -> Option<Self> {
        let normals = count(scores, likeness)?;
        let (own, taught) = (sorted(scores), sorted(likeness));
        let spread = |ascending: &[f32]| quantile(ascending, 0.75) - quantile(ascending, 0.25);
        let scale = positive(spread(&own) / spread(&taught));
        let offset = quantile(&own, 0.5) - scale * quantile(&taught, 0.5);
        let mut joint = Self {
            scale,
            offset,
            threshold: 0.0,
            rank: 1,
            reaches_target: false,
            is_estimate: false,
            are_two: false,
        };
        let pairs = scores.iter().zip(likeness);
        let all: Vec<f32> = pairs.map(|(score, likeness)| joint.joint(*score, *likeness)).collect();
        let budget = conformal::choose(normals, target_fpr);
        let limit =
            limit(&sorted(&all), budget.rank, target_fpr, rule.estimates(budget, Sample::CrossFitted));
        (joint.threshold, joint.rank, joint.is_estimate) = (limit.value, limit.rank, limit.is_estimate);
        joint.reaches_target = budget.reaches_target && limit.rank == budget.rank;
        Some(joint)
    }

    /// Returns two limits, each with half of the budget.
    #[must_use]
    pub fn two(scores: &[f32], likeness: &[f32], target_fpr: f64, rule: ThresholdRule) -> Option<Self> {
        let normals = count(scores, likeness)?;
        let budget = conformal::choose(normals, target_fpr);
        let (of_score, of_likeness) = split(budget.rank);
        let (scores, likeness) = (sorted(scores), sorted(likeness));
        let estimates = rule.estimates(budget, Sample::CrossFitted);
        let own = limit(&scores, of_score.min(normals), target_fpr / 2.0, estimates);
        let taught = limit(&likeness, of_likeness.min(normals), target_fpr / 2.0, estimates);
        let rank = (own.rank + taught.rank).min(normals);
        // The likeness keeps its shape: its distance from the median to the limit becomes that of the score.
        let reach = |ascending: &[f32], limit: f32| limit - quantile(ascending, 0.5);
        let scale = positive(reach(&scores, own.value) / reach(&likeness, taught.value));
        let offset = own.value - scale * taught.value;
        Some(Self {
            scale,
            offset,
            // Rounding must not put the limit of the likeness above the threshold.
            threshold: own.value.max(scale * taught.value + offset),
            rank,
            reaches_target: budget.reaches_target && rank <= budget.rank,
            is_estimate: own.is_estimate || taught.is_estimate,
            are_two: true,
        })
    }

    /// Returns the joint score.
    #[must_use]
    pub fn joint(&self, score: f32, likeness: f32) -> f32 {
        score.max(self.scale * likeness + self.offset)
    }
}

fn count(scores: &[f32], likeness: &[f32]) -> Option<u32> {
    u32::try_from(scores.len()).ok().filter(|&normals| normals > 0 && likeness.len() == scores.len())
}

fn sorted(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    values.sort_by(f32::total_cmp);
    values
}

/// Returns the ratio of two spreads; 1 if one of them is nothing.
fn positive(ratio: f32) -> f32 {
    if ratio.is_finite() && ratio > 0.0 { ratio } else { 1.0 }
}

/// Splits a rank between the score and the likeness; each gets at least 1.
#[must_use]
pub fn split(rank: u32) -> (u32, u32) {
    let of_likeness = (rank / 2).max(1);
    ((rank - of_likeness.min(rank)).max(1), of_likeness)
}

fn limit(ascending: &[f32], rank: u32, target: f64, estimates: bool) -> Limit {
    let value = ascending[ascending.len() - rank as usize];
    match tail::estimate(ascending, target).filter(|estimate| estimates && *estimate < value) {
        Some(estimate) => {
            let above = ascending.iter().filter(|score| **score > estimate).count();
            let rank = u32::try_from(above + 1).unwrap_or(rank).min(ascending.len() as u32);
            Limit { value: estimate, rank, is_estimate: true }
        }
        None => Limit { value, rank, is_estimate: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    /// Counts the parts that two limits from all others would reject.
    fn rejected(parts: &[(f32, f32)], target: f64) -> (usize, u32) {
        let (mut count, mut rank) = (0, 0);
        for (index, &(score, likeness)) in parts.iter().enumerate() {
            let others = parts.iter().enumerate().filter(|(other, _)| *other != index);
            let (scores, likenesses): (Vec<f32>, Vec<f32>) = others.map(|(_, part)| *part).unzip();
            let limits = JointLimit::two(&scores, &likenesses, target, ThresholdRule::Claim).unwrap();
            count += usize::from(limits.joint(score, likeness) > limits.threshold);
            rank = limits.rank;
        }
        (count, rank)
    }

    /// The union bound, proved for every order of six normals and a new one. If all seven come from the same process, each
    /// is equally likely to be the new one, so the chance of a false alarm is the share of the seven that would be rejected
    /// if they were it.
    #[test]
    fn whatever_the_order_no_more_are_rejected_than_claimed() {
        let mut order: Vec<usize> = (0..7).collect();
        let mut state = [0usize; 7];
        let mut largest = [0; 2];
        let mut check = |order: &[usize]| {
            for (index, target) in [2.0 / 7.0, 4.0 / 7.0].into_iter().enumerate() {
                let parts: Vec<(f32, f32)> = order
                    .iter()
                    .enumerate()
                    .map(|(score, &likeness)| (score as f32, likeness as f32))
                    .collect();
                let (count, rank) = rejected(&parts, target);
                assert_eq!(f64::from(rank), (7.0 * target).round());
                assert!(count <= rank as usize, "{order:?}: {count} of 7, claimed {rank}");
                largest[index] = largest[index].max(count);
            }
        };
        check(&order);
        // Heap's algorithm: all 5,040 orders.
        let mut at = 1;
        while at < 7 {
            if state[at] < at {
                let other = if at.is_multiple_of(2) { 0 } else { state[at] };
                order.swap(other, at);
                check(&order);
                state[at] += 1;
                at = 1;
            } else {
                state[at] = 0;
                at += 1;
            }
        }
        // The bound is reached: it couldn't be smaller.
        assert_eq!(largest, [2, 4]);
    }

    #[test]
    fn the_bound_holds_for_odd_parts_equal_scores_and_either_sign() {
        let mut random = Seeded::new(11, 0);
        for round in 0..300 {
            let (levels, shift) = ([2, 5, 1000][round % 3], [-500.0, 0.0, 500.0][round / 3 % 3]);
            let mut parts: Vec<(f32, f32)> = (0..40)
                .map(|_| (random.below(levels) as f32 + shift, random.below(levels) as f32 - shift))
                .collect();
            parts[0] = (1e6, -1e6);
            parts[1] = (-3.0, 1e5);
            for target in [0.01, 0.05, 0.1, 0.3] {
                let (count, rank) = rejected(&parts, target);
                assert!(
                    count <= rank as usize,
                    "round {round}, target {target}: {count} of 40, claimed {rank}"
                );
            }
        }
    }

    #[test]
    fn one_odd_normal_spoils_one_limit_and_taught_defects_tell() {
        let scores: Vec<f32> = (0..30).map(|n| n as f32 / 10.0).chain([100.0]).collect();
        let likeness: Vec<f32> = (0..31).map(|n| n as f32 / 10.0 - 1.0).collect();
        let two = JointLimit::two(&scores, &likeness, 0.05, ThresholdRule::Claim).unwrap();
        assert_eq!((two.rank, two.reaches_target), (2, false));
        assert!(two.joint(0.0, 2.01) > two.threshold && two.joint(0.0, 2.0) <= two.threshold);
        let estimate = JointLimit::two(&scores, &likeness, 0.05, ThresholdRule::Estimate).unwrap();
        assert!(estimate.is_estimate && estimate.threshold < 10.0, "{estimate:?}");
        // Eight defects that only the likeness tells from good parts.
        let choose = |examples: &[(f32, f32)], target| {
            JointLimit::choose(&scores, &likeness, examples, target, ThresholdRule::Claim).unwrap()
        };
        let found = [(1.0, 8.0); 8];
        assert!(choose(&found, 0.01).are_two);
        // Too few, found either way, and a target that only one limit reaches.
        assert!(!choose(&found[1..], 0.01).are_two);
        assert!(!choose(&[(200.0, 8.0); 8], 0.01).are_two);
        assert!(!choose(&found, 0.05).are_two && choose(&found, 0.05).reaches_target);
    }

    #[test]
    fn two_limits_take_twice_the_normals() {
        // 79 normals are the fewest for 1.25 % on each of two limits.
        let many: Vec<f32> = (0..79).map(|n| n as f32).collect();
        let reaches = |normals: &[f32]| {
            let two = JointLimit::two(normals, normals, 0.025, ThresholdRule::Claim).unwrap();
            let one = JointLimit::one(normals, normals, 0.025, ThresholdRule::Claim).unwrap();
            (two.reaches_target, one.reaches_target)
        };
        assert_eq!(reaches(&many), (true, true));
        assert_eq!(reaches(&many[1..]), (false, true));
        assert_eq!(reaches(&many[..38]), (false, false));
    }

    #[test]
    fn one_limit_keeps_the_target_on_fresh_normals() {
        let mut random = Seeded::new(5, 0);
        let mut draw = || {
            // Two scores of very different scale and tail that move together.
            let (a, b) = (random.below(1 << 20) as f32 / 1e6, random.below(1 << 20) as f32 / 1e6);
            (100.0 * a, (a + b).powi(4))
        };
        let mut alarms = 0;
        for _ in 0..1000 {
            let (scores, likeness): (Vec<f32>, Vec<f32>) = (0..39).map(|_| draw()).unzip();
            let limit = JointLimit::one(&scores, &likeness, 0.1, ThresholdRule::Claim).unwrap();
            alarms += (0..20)
                .filter(|_| {
                    let (score, likeness) = draw();
                    limit.joint(score, likeness) > limit.threshold
                })
                .count();
        }
        let rate = alarms as f64 / 20_000.0;
        assert!((0.085..0.108).contains(&rate), "{rate}");
    }

    #[test]
    fn normals_that_are_all_alike_or_absent() {
        for choose in [JointLimit::one, JointLimit::two] {
            assert_eq!(choose(&[], &[], 0.05, ThresholdRule::Claim), None);
            assert_eq!(choose(&[1.0], &[], 0.05, ThresholdRule::Claim), None);
            let limit = choose(&[1.0; 9], &[-2.0; 9], 0.05, ThresholdRule::Claim).unwrap();
            assert!(limit.joint(1.0, -2.0) <= limit.threshold && limit.joint(1.0, -1.0) > limit.threshold);
        }
    }
}
