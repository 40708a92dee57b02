//! Puts what thresholds claim into words, for the person who decides whether to trust the gate.

use std::path::Path;

use shared_format::{Evidence, Sample, conformal};

use crate::calibrate::Calibration;

/// A normal stands alone if its score is more than this many times as far above the median as the next one's.
const OUTLIER_RATIO: f32 = 2.0;

/// Says what the sample can claim.
#[must_use]
pub fn claim(calibration: &Calibration) -> String {
    let Evidence { normals, rank, target_fpr, sample, .. } = calibration.evidence;
    let percent =
        |share: f64| format!("{:.2}", share * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned();
    let target = f64::from(target_fpr);
    let bound = percent(conformal::marginal_bound(normals, rank));
    if calibration.is_estimate {
        let scored =
            if sample == Sample::CrossFitted { ", each scored by a model of the others" } else { "" };
        return format!(
            "{normals} normals{scored}: the threshold is estimated from the tail of their scores for {} % false alarms; without \
             that estimate they support {bound} % on average",
            percent(target)
        );
    }
    let mut text = match sample {
        Sample::HeldOut => format!("{normals} normals: at most {bound} % false alarms on average"),
        Sample::CrossFitted => format!(
            "{normals} normals, each scored by a model of the others: an estimate of {bound} % false alarms on average"
        ),
    };
    if let Some(needed) = conformal::normals_for(target, 0.95).filter(|&needed| needed > normals) {
        text += &format!("; for {} % with 95 % confidence collect {needed}", percent(target));
    }
    if !calibration.reaches_target {
        text += &format!(". The target of {} % is out of this sample's reach", percent(target));
    }
    text
}

/// Returns [`claim`], and adds that the threshold is the largest score if the sample is too small for its target.
#[must_use]
pub fn claim_with_threshold(calibration: &Calibration) -> String {
    let Calibration { evidence, reaches_target, image_threshold, .. } = calibration;
    let largest = !reaches_target && evidence.rank == 1 && *image_threshold >= evidence.scores.max;
    format!("{}{}", claim(calibration), if largest { ": the threshold is its largest score" } else { "" })
}

/// Lists the highest-scoring normals: what to look at before trusting the threshold.
#[must_use]
pub fn highest(calibration: &Calibration) -> String {
    let named = calibration.highest.iter().map(|(name, score)| {
        let name = Path::new(name).file_name().map_or(name.into(), |file| file.to_string_lossy());
        format!("{name} {score:.4}")
    });
    format!("highest of the normals: {}", named.collect::<Vec<_>>().join(", "))
}

/// Returns a warning if the threshold is the score of one normal far above all others: a bad part among the good ones
/// makes the gate blind. `again` says what to do after removing it: `train and export again`.
#[must_use]
pub fn outlier_warning(calibration: &Calibration, again: &str) -> Option<String> {
    let Calibration { evidence, highest, .. } = calibration;
    let [(name, first), (_, second), ..] = &highest[..] else { return None };
    let above = |score: f32| score - evidence.scores.q50;
    let alone = evidence.rank == 1 && above(*first) > OUTLIER_RATIO * above(*second).max(f32::MIN_POSITIVE);
    alone.then(|| {
        format!(
            "{name} alone sets the threshold: it scores {first:.4}, the next normal {second:.4}. Look at it; if it isn't \
             a good part, remove it and {again}, or the gate will pass what it should reject; if it is one, \
             --threshold estimate keeps it from deciding alone"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Calibrator;
    use crate::rule::ThresholdRule;

    fn calibrate(n: usize, target: f64) -> Calibration {
        let mut c = Calibrator::new(n, 1);
        (0..n).for_each(|i| c.add(format!("{i}.png"), i as f32 + 1.0, &[0.0]));
        c.finish(target, ThresholdRule::Claim).unwrap()
    }

    #[test]
    fn a_small_sample_says_what_it_can_claim() {
        assert_eq!(
            claim(&calibrate(62, 0.01)),
            "62 normals: at most 1.59 % false alarms on average; for 1 % with 95 % confidence collect 299. \
             The target of 1 % is out of this sample's reach"
        );
        assert_eq!(claim(&calibrate(400, 0.01)), "400 normals: at most 1 % false alarms on average");
    }

    #[test]
    fn an_estimate_is_told_from_a_claim() {
        let mut c = Calibrator::new(31, 1);
        let scores = (0..30).map(|n| n as f32 / 10.0).chain([100.0]);
        scores.enumerate().for_each(|(n, score)| c.add(format!("{n}.png"), score, &[0.0]));
        let text = claim_with_threshold(&c.finish(0.05, ThresholdRule::Estimate).unwrap());
        assert_eq!(
            text,
            "31 normals: the threshold is estimated from the tail of their scores for 5 % false alarms; without that estimate they \
             support 6.25 % on average"
        );
    }

    #[test]
    fn a_normal_that_stands_alone_is_named() {
        let warning = |scores: &[f32]| {
            let mut c = Calibrator::new(scores.len(), 1);
            for (index, &score) in scores.iter().enumerate() {
                c.add(format!("good/{index}.png"), score, &[0.0]);
            }
            let c = c.finish(0.01, ThresholdRule::Claim).unwrap();
            (highest(&c), outlier_warning(&c, "teach again"))
        };
        let (named, alone) = warning(&[1.0, 9.0, 1.2, 1.4, 1.1]);
        assert_eq!(named, "highest of the normals: 1.png 9.0000, 3.png 1.4000, 2.png 1.2000");
        assert!(alone.is_some_and(|text| text.starts_with("good/1.png alone sets the threshold")));
        assert_eq!(warning(&[1.0, 1.5, 1.2, 1.4, 1.1]).1, None);
        // Enough normals for the target: the threshold is not the largest score.
        let many: Vec<f32> = (0..300).map(|i| if i == 7 { 99.0 } else { i as f32 / 300.0 }).collect();
        assert_eq!(warning(&many).1, None);
        assert_eq!(warning(&[1.0]), ("highest of the normals: 0.png 1.0000".to_owned(), None));
        // All equal except one.
        assert!(warning(&[1.0, 1.0, 1.0, 1.1]).1.is_some());
    }
}
