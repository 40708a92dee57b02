//! Puts what thresholds claim into words, for the person who decides whether to trust the gate.

use std::path::Path;

use shared_format::{Evidence, Sample, conformal};

use crate::calibrate::Calibration;
use crate::suspects::Suspect;

/// A normal stands alone if its score is more than this many times as far above the median as the next one's.
const OUTLIER_RATIO: f32 = 2.0;
/// Maximum number of suspects listed by name.
const MAX_NAMED: usize = 10;

/// Says what the sample can claim.
#[must_use]
pub fn claim(calibration: &Calibration) -> String {
    let Evidence { normals: all, rank: of_all, target_fpr, sample, .. } = calibration.evidence;
    // Those left out count in the stored claim; the words say both what holds without them and what holds if they were good.
    let left_out = calibration.left_out;
    let (normals, rank) = (all.saturating_sub(left_out), of_all.saturating_sub(left_out));
    let percent =
        |share: f64| format!("{:.2}", share * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned();
    let target = f64::from(target_fpr);
    let bound = percent(conformal::marginal_bound(normals, rank));
    let without = match left_out {
        0 => String::new(),
        _ => format!(
            ", among parts like these; {} % if the photos left out as suspects show good parts",
            percent(conformal::marginal_bound(all, of_all))
        ),
    };
    if calibration.is_estimate {
        let scored =
            if sample == Sample::CrossFitted { ", each scored by a model of the others" } else { "" };
        return format!(
            "{normals} normals{scored}: the threshold is estimated from the tail of their scores for {} % false alarms; without \
             that estimate they support {bound} % on average{without}{}",
            percent(target),
            match conformal::normals_on_average(target).filter(|&needed| needed > normals) {
                Some(needed) =>
                    format!("; to claim {} % collect {needed} and give --threshold claim", percent(target)),
                None => String::new(),
            }
        );
    }
    let mut text = match sample {
        Sample::HeldOut => format!("{normals} normals: at most {bound} % false alarms on average{without}"),
        Sample::CrossFitted => format!(
            "{normals} normals, each scored by a model of the others: an estimate of {bound} % false alarms on average{without}"
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
    let is_largest_rank = evidence.rank == calibration.left_out.saturating_add(1);
    let largest = !reaches_target && is_largest_rank && *image_threshold >= evidence.scores.max;
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
    let Calibration { evidence, highest, left_out, .. } = calibration;
    let [(name, first), (_, second), ..] = &highest[..] else { return None };
    let above = |score: f32| score - evidence.scores.q50;
    let sets_it = evidence.rank == left_out.saturating_add(1);
    let alone = sets_it && above(*first) > OUTLIER_RATIO * above(*second).max(f32::MIN_POSITIVE);
    alone.then(|| {
        format!(
            "{name} alone sets the threshold: it scores {first:.4}, the next normal {second:.4}. Look at it; if it isn't \
             a good part, remove it and {again}, or the gate will pass what it should reject; if it is one, \
             --threshold estimate keeps it from deciding alone"
        )
    })
}

/// Returns a warning that names the normals which may show bad parts; `advice` says what to do about them.
#[must_use]
pub fn suspects_warning(suspects: &[Suspect], normals: usize, advice: &str) -> Option<String> {
    if suspects.is_empty() {
        return None;
    }
    let mut named: Vec<String> = suspects.iter().take(MAX_NAMED).map(Suspect::to_string).collect();
    if suspects.len() > MAX_NAMED {
        named.push(format!("{} more", suspects.len() - MAX_NAMED));
    }
    Some(format!(
        "{} of {normals} photos score unlike the others and may show bad parts: {}. Look at them; {advice}",
        suspects.len(),
        named.join(", ")
    ))
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
    fn a_claim_without_suspects_says_what_holds_if_they_were_good() {
        let mut calibration = calibrate(95, 0.05);
        calibration.count_left_out(5);
        assert_eq!(
            claim(&calibration),
            "95 normals: at most 4.17 % false alarms on average, among parts like these; 8.91 % if the photos left out \
             as suspects show good parts. The target of 5 % is out of this sample's reach"
        );
        let mut small = calibrate(19, 0.01);
        small.count_left_out(1);
        assert!(claim_with_threshold(&small).ends_with("the threshold is its largest score"));
    }

    #[test]
    fn suspects_are_named_and_a_long_list_is_cut() {
        let suspects: Vec<Suspect> = (0..12u8)
            .map(|n| Suspect { name: format!("good/{n}.png"), score: 30.0 - f32::from(n) })
            .collect();
        assert_eq!(suspects_warning(&[], 200, "sort them out"), None);
        assert_eq!(
            suspects_warning(&suspects[..2], 200, "sort them out").unwrap(),
            "2 of 200 photos score unlike the others and may show bad parts: 0.png 30.00, 1.png 29.00. Look at them; sort them out"
        );
        assert!(suspects_warning(&suspects, 200, "").unwrap().contains("9.png 21.00, 2 more. Look"));
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
        let scores = (0..17).map(|n| n as f32 / 10.0).chain([100.0]);
        let mut c = Calibrator::new(18, 1);
        scores.enumerate().for_each(|(n, score)| c.add(format!("{n}.png"), score, &[0.0]));
        let text = claim(&c.finish(0.05, ThresholdRule::Auto).unwrap());
        assert!(
            text.ends_with(
                "they support 10.53 % on average; to claim 5 % collect 19 and give --threshold claim"
            ),
            "{text}"
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
