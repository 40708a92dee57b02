//! Derives thresholds, and the evidence for them, from the scores of held-out normals.

use judge::anomaly_map::lower_quartile;
use shared_format::{Evidence, Sample, ScoreQuantiles, conformal};

use crate::joint_limit::JointLimit;
use crate::product::product_limit;
use crate::rule::ThresholdRule;
use crate::suspects::{Suspect, suspects};
use crate::tail;

/// Share of the normals' map positions below the pixel threshold. The threshold only outlines regions; it decides
/// nothing.
const PIXEL_QUANTILE: f64 = 0.999;
/// Scores may differ between processors by this share of the normals' spread (q99 − q50) …
const TOLERANCE_OF_SPREAD: f32 = 0.01;
/// … or, if a small sample has almost no spread, by this share of the largest score.
const TOLERANCE_OF_SCORE: f32 = 1e-4;
/// Number of highest-scoring normals reported by name.
const NAMED: usize = 3;
/// Maximum number of map positions kept for the pixel quantile. If there are more, every n-th is kept, with an odd
/// n because map widths are even.
const MAX_PIXELS: usize = 8_000_000;

/// Thresholds and the evidence for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// A frame is rejected when its score is above this.
    pub image_threshold: f32,
    /// A map position belongs to a region when its value is above this.
    pub pixel_threshold: f32,
    /// How far a golden frame's score on another processor may be from the score here.
    pub score_tolerance: f32,
    /// Whether the threshold is an estimate from the tail of the scores, below the one that can be claimed.
    pub is_estimate: bool,
    /// Whether the sample is large enough to claim the target; if not, the threshold is the largest score, unless it is an
    /// estimate.
    pub reaches_target: bool,
    /// The evidence for the thresholds.
    pub evidence: Evidence,
    /// See [`shared_format::ThresholdFile::product_limit`]; `None` without maps.
    pub product_limit: Option<f32>,
    /// The highest-scoring normals, highest first; at most three.
    pub highest: Vec<(String, f32)>,
    /// Normals whose scores don't belong to the others', highest first; see [`suspects`].
    pub suspects: Vec<Suspect>,
    /// Number of normals that were left out of learning as suspects; see [`Self::count_left_out`].
    pub left_out: u32,
    /// What the threshold stands for, if defects were taught.
    pub joint: Option<JointLimit>,
}

impl Calibration {
    /// Counts normals that were left out of learning as suspects. Leaving out the highest scores makes the threshold an order
    /// statistic of the lowest ones, so its claim would be too good. The ones left out therefore count as good parts above the
    /// threshold: the bound then holds even if all of them were good.
    pub fn count_left_out(&mut self, left_out: usize) {
        if left_out == 0 {
            return;
        }
        let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        let evidence = &mut self.evidence;
        evidence.normals = evidence.normals.saturating_add(left_out);
        evidence.rank = evidence.rank.saturating_add(left_out);
        self.left_out = self.left_out.saturating_add(left_out);
        self.reaches_target &= evidence.claimed_fpr() as f32 <= evidence.target_fpr;
    }
}

/// Collects the scores and maps of the calibration normals.
#[derive(Debug)]
pub struct Calibrator {
    names: Vec<String>,
    scores: Vec<f32>,
    /// Likeness to taught defects, in the same order; empty if none were taught.
    likeness: Vec<f32>,
    /// Score and likeness of each taught defect.
    examples: Vec<(f32, f32)>,
    pixels: PixelCalibrator,
    /// The lower quartile of each map.
    quartiles: Vec<f32>,
    sample: Sample,
}

/// The normals' map values that determine the pixel threshold.
#[derive(Debug)]
pub struct PixelCalibrator {
    values: Vec<f32>,
    stride: usize,
}

impl PixelCalibrator {
    /// Prepares for `frames` maps of `positions` values each.
    #[must_use]
    pub fn new(frames: usize, positions: usize) -> Self {
        Self { values: vec![], stride: (frames * positions).div_ceil(MAX_PIXELS) | 1 }
    }

    /// Adds a map.
    pub fn add(&mut self, map: &[f32]) {
        self.values.extend(map.iter().step_by(self.stride));
    }

    /// Returns the value that few positions of normals exceed; 0 without maps.
    #[must_use]
    pub fn threshold(mut self) -> f32 {
        self.values.sort_by(f32::total_cmp);
        quantile(&self.values, PIXEL_QUANTILE)
    }
}

impl Calibrator {
    /// Prepares for `frames` maps of `positions` values each, from held-out normals.
    #[must_use]
    pub fn new(frames: usize, positions: usize) -> Self {
        let pixels = PixelCalibrator::new(frames, positions);
        Self {
            names: vec![],
            scores: vec![],
            likeness: vec![],
            examples: vec![],
            pixels,
            quartiles: vec![],
            sample: Sample::HeldOut,
        }
    }

    /// Prepares for cross-fitted normals, each scored by a model of the others, whose [`PixelCalibrator::threshold`] and whose maps' lower
    /// quartiles are already known.
    #[must_use]
    pub fn cross_fitted(pixel_threshold: f32, quartiles: Vec<f32>) -> Self {
        let pixels = PixelCalibrator { values: vec![pixel_threshold], stride: 1 };
        Self {
            names: vec![],
            scores: vec![],
            likeness: vec![],
            examples: vec![],
            pixels,
            quartiles,
            sample: Sample::CrossFitted,
        }
    }

    /// Adds one normal: its display name, its score and its anomaly map's values.
    pub fn add(&mut self, name: String, score: f32, map: &[f32]) {
        self.add_score(name, score);
        self.add_map(map);
    }

    /// Adds another map of the last normal, for parts with several frames.
    pub fn add_map(&mut self, map: &[f32]) {
        self.pixels.add(map);
        self.quartiles.extend(lower_quartile(&mut map.to_vec()));
    }

    /// Adds one normal without a map.
    pub fn add_score(&mut self, name: String, score: f32) {
        self.names.push(name);
        self.scores.push(score);
    }

    /// Replaces the scores by cross-fitted ones, of the same normals in the same order.
    #[must_use]
    pub fn rescored(self, scores: Vec<f32>) -> Self {
        Self { scores, sample: Sample::CrossFitted, ..self }
    }

    /// Adds a second score: the likeness of the normals, in the order they were added, to taught defects. `examples` are the
    /// score and the likeness of each taught defect.
    #[must_use]
    pub fn with_likeness(self, likeness: Vec<f32>, examples: Vec<(f32, f32)>) -> Self {
        Self { likeness, examples, ..self }
    }

    /// Returns the scores in the order they were added.
    #[must_use]
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// Computes the thresholds for `target_fpr` (0..1, exclusive); `None` if no normal was added.
    #[must_use]
    pub fn finish(mut self, target_fpr: f64, rule: ThresholdRule) -> Option<Calibration> {
        let normals = u32::try_from(self.scores.len()).ok().filter(|&n| n > 0)?;
        let suspects = suspects(&self.scores)
            .into_iter()
            .filter_map(|at| {
                Some(Suspect { name: self.names.get(at)?.clone(), score: *self.scores.get(at)? })
            })
            .collect();
        let joint = JointLimit::choose(&self.scores, &self.likeness, &self.examples, target_fpr, rule);
        if let Some(joint) = &joint {
            let pairs = self.scores.iter_mut().zip(&self.likeness);
            pairs.for_each(|(score, likeness)| *score = joint.joint(*score, *likeness));
        }
        let mut named: Vec<(String, f32)> = self.names.into_iter().zip(self.scores.iter().copied()).collect();
        named.sort_by(|a, b| b.1.total_cmp(&a.1));
        named.truncate(NAMED);
        self.scores.sort_by(f32::total_cmp);
        let mut is_estimate = false;
        let mut choice = conformal::choose(normals, target_fpr);
        let mut image_threshold = self.scores[self.scores.len() - choice.rank as usize];
        if let Some(joint) = &joint {
            (image_threshold, is_estimate) = (joint.threshold, joint.is_estimate);
            choice = conformal::Choice { rank: joint.rank, reaches_target: joint.reaches_target };
        } else if rule.estimates(choice, self.sample)
            && let Some(estimate) = tail::estimate(&self.scores, target_fpr)
            && estimate < image_threshold
        {
            image_threshold = estimate;
            is_estimate = true;
            // What can be claimed follows from the largest score that doesn't exceed the threshold.
            let above = self.scores.iter().filter(|score| **score > estimate).count();
            let rank = u32::try_from(above + 1).unwrap_or(normals).min(normals);
            choice = conformal::Choice { rank, reaches_target: rank == choice.rank && choice.reaches_target };
        }
        let q = |p| quantile(&self.scores, p);
        let scores = ScoreQuantiles {
            min: q(0.0),
            q05: q(0.05),
            q25: q(0.25),
            q50: q(0.5),
            q75: q(0.75),
            q95: q(0.95),
            q99: q(0.99),
            max: q(1.0),
        };
        let tolerance = (TOLERANCE_OF_SPREAD * scores.spread()).max(TOLERANCE_OF_SCORE * scores.max.abs());
        Some(Calibration {
            image_threshold,
            pixel_threshold: self.pixels.threshold(),
            score_tolerance: tolerance,
            is_estimate,
            reaches_target: choice.reaches_target,
            evidence: Evidence {
                normals,
                rank: choice.rank,
                sample: self.sample,
                target_fpr: target_fpr as f32,
                scores,
            },
            product_limit: product_limit(&self.quartiles),
            highest: named,
            suspects,
            left_out: 0,
            joint,
        })
    }
}

/// Returns the `p`-quantile (0..=1) of ascending values, interpolated linearly between order statistics; 0 if
/// there are none.
pub(crate) fn quantile(ascending: &[f32], p: f64) -> f32 {
    let Some(last) = ascending.len().checked_sub(1) else { return 0.0 };
    let at = p * last as f64;
    let low = at.floor() as usize;
    let (a, b) = (f64::from(ascending[low]), f64::from(ascending[(low + 1).min(last)]));
    (a + (b - a) * (at - low as f64)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibrate(n: usize, target: f64) -> Calibration {
        let mut c = Calibrator::new(n, 100);
        for i in 0..n {
            let map: Vec<f32> = (0..100).map(|p| (i as f32 + 1.0) * p as f32 / 99.0).collect();
            c.add(format!("{i}.png"), i as f32 + 1.0, &map);
        }
        c.finish(target, ThresholdRule::Claim).unwrap()
    }

    #[test]
    fn the_threshold_is_an_order_statistic() {
        let c = calibrate(99, 0.05);
        assert_eq!((c.evidence.rank, c.image_threshold, c.reaches_target), (5, 95.0, true));
        assert_eq!(c.evidence.scores.q50, 50.0);
        // 99 maps of 100 values each, from 0 to the map's number: few values exceed 98.
        assert!(c.pixel_threshold > 95.0 && c.pixel_threshold < 99.0, "{}", c.pixel_threshold);
    }

    #[test]
    fn a_small_sample_says_what_it_can_claim() {
        let c = calibrate(62, 0.01);
        assert_eq!((c.evidence.rank, c.image_threshold, c.reaches_target), (1, 62.0, false));
    }

    #[test]
    fn the_claim_holds_on_fresh_normals() {
        // 2,000 samples of 19 normals with a target of 10 %: on average at most that share of fresh normals
        // exceeds the threshold.
        let mut random = crate::seeded::Seeded::new(3, 0);
        let mut draw = || (random.below(1 << 20)) as f32;
        let mut alarms = 0;
        for _ in 0..2000 {
            let mut c = Calibrator::new(19, 1);
            (0..19).for_each(|_| c.add(String::new(), draw(), &[0.0]));
            let threshold = c.finish(0.1, ThresholdRule::Claim).unwrap().image_threshold;
            alarms += (0..10).filter(|_| draw() > threshold).count();
        }
        let rate = alarms as f64 / 20_000.0;
        assert!((0.09..0.11).contains(&rate), "{rate}");
    }

    #[test]
    fn an_estimate_is_no_more_than_the_claim_and_says_what_it_can_claim() {
        let finish = |scores: &[f32], target, rule| {
            let mut c = Calibrator::new(scores.len(), 1);
            scores.iter().for_each(|&score| c.add(String::new(), score, &[0.0]));
            c.finish(target, rule).unwrap()
        };
        // Thirty similar scores and one outlier: the claim is the outlier's score, the estimate is far below it.
        let odd: Vec<f32> = (0..30).map(|n| n as f32 / 10.0).chain([100.0]).collect();
        let (claim, estimate) =
            (finish(&odd, 0.05, ThresholdRule::Claim), finish(&odd, 0.05, ThresholdRule::Estimate));
        assert_eq!((claim.image_threshold, claim.evidence.rank), (100.0, 1));
        assert!((2.9..5.0).contains(&estimate.image_threshold), "{}", estimate.image_threshold);
        assert_eq!((estimate.evidence.rank, estimate.reaches_target), (2, false));
        assert!(estimate.is_estimate && !claim.is_estimate);
        // Scores without a tail: an estimate would exceed all of them.
        let even: Vec<f32> = (0..31).map(|n| n as f32).collect();
        assert_eq!(finish(&even, 0.01, ThresholdRule::Estimate).image_threshold, 30.0);
        // By default, an estimate stands in for a claim that can't be made, or that hangs on one score.
        assert_eq!(finish(&odd, 0.05, ThresholdRule::Auto), estimate);
        let many: Vec<f32> = (0..39).map(|n| n as f32 / 10.0).collect();
        assert!(!finish(&many, 0.05, ThresholdRule::Auto).is_estimate);
        assert_eq!(finish(&many, 0.01, ThresholdRule::Auto), finish(&many, 0.01, ThresholdRule::Estimate));
        // Too few to estimate anything.
        assert_eq!(
            finish(&[1.0, 2.0, 9.0], 0.05, ThresholdRule::Estimate),
            finish(&[1.0, 2.0, 9.0], 0.05, ThresholdRule::Claim)
        );
    }

    #[test]
    fn what_is_left_out_counts_as_good_parts_above_the_threshold() {
        let mut c = calibrate(299, 0.01);
        assert_eq!((c.evidence.normals, c.evidence.rank, c.reaches_target), (299, 3, true));
        c.count_left_out(0);
        assert!(c.reaches_target);
        c.count_left_out(2);
        assert_eq!((c.evidence.normals, c.evidence.rank, c.left_out, c.reaches_target), (301, 5, 2, false));
        assert!((c.evidence.claimed_fpr() - 5.0 / 302.0).abs() < 1e-12);
    }

    #[test]
    fn one_normal_and_none() {
        let c = calibrate(1, 0.01);
        assert_eq!(c.image_threshold, 1.0);
        assert!(c.score_tolerance > 0.0);
        assert_eq!(Calibrator::new(0, 1).finish(0.01, ThresholdRule::Claim), None);
    }
}
