//! What taught defects let one claim about defects that will be missed.

use shared_format::{Sample, ThresholdFile, conformal};

use crate::joint_limit::split;

/// The confidence of every bound here; each is one-sided.
pub const CONFIDENCE: f64 = 0.95;
/// Steps of the bisection: enough for all digits of a 64-bit float.
const STEPS: usize = 60;

/// Returns the largest rate of an event that, with this confidence, its `events` among `trials` independent trials allow
/// (Clopper and Pearson: *The use of confidence or fiducial limits*, 1934).
#[must_use]
pub fn upper_bound(events: u32, trials: u32, confidence: f64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    let (mut low, mut high) = (f64::from(events) / f64::from(trials), 1.0);
    for _ in 0..STEPS {
        let middle = (low + high) / 2.0;
        if at_most(events, trials, middle) > 1.0 - confidence { low = middle } else { high = middle }
    }
    high
}

/// Returns the chance of at most `events` among `trials` at this rate.
fn at_most(events: u32, trials: u32, rate: f64) -> f64 {
    if rate >= 1.0 {
        return 0.0;
    }
    // Logarithms keep the terms of thousands of trials within range.
    let ratio = (rate / (1.0 - rate)).ln();
    let mut log = f64::from(trials) * (1.0 - rate).ln();
    let mut sum = log.exp();
    for event in 0..events {
        log += ratio + (f64::from(trials - event) / f64::from(event + 1)).ln();
        sum += log.exp();
    }
    sum
}

/// Returns how many trials with this many events show, with the confidence, that the rate is below `target`. `None` if more than
/// 10 million would be needed.
#[must_use]
pub fn trials_for(events: u32, target: f64) -> Option<u32> {
    let fits = |trials: u32| upper_bound(events, trials, CONFIDENCE) <= target;
    let (mut low, mut high) = (events, 10_000_000);
    if !fits(high) {
        return None;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// Returns the bound on the rate of false alarms at the thresholds of a file. With taught defects they may be two limits of
/// cross-fitted normals: each then has half of the uncertainty, and the bounds add up. That also bounds a single limit of the
/// same rank.
#[must_use]
pub fn false_alarm_bound(file: &ThresholdFile) -> f64 {
    let evidence = &file.evidence;
    let single =
        |rank: u32, confidence: f64| upper_bound(rank.saturating_sub(1), evidence.normals, confidence);
    if file.defects.is_some() && evidence.sample == Sample::CrossFitted && evidence.rank > 1 {
        let (own, taught) = split(evidence.rank);
        let confidence = 1.0 - (1.0 - CONFIDENCE) / 2.0;
        (single(own, confidence) + single(taught, confidence)).min(1.0)
    } else {
        single(evidence.rank, CONFIDENCE)
    }
}

/// Says, line by line, what is known of false alarms and of each kind of taught defects; empty if none were taught.
#[must_use]
pub fn describe(file: &ThresholdFile) -> Vec<String> {
    let Some(defects) = &file.defects else { return vec![] };
    let percent =
        |share: f64| format!("{:.3}", share * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned();
    let (alarms, target_fpr) = (false_alarm_bound(file), f64::from(file.evidence.target_fpr));
    let mut lines = vec![format!(
        "false alarms: at most {:.1} % with 95 % confidence, by {} normals{}",
        100.0 * alarms,
        file.evidence.normals,
        if alarms <= target_fpr { String::new() } else { format!(" (target {} %)", percent(target_fpr)) }
    )];
    let mut out_of_reach = vec![];
    for kind in &defects.kinds {
        let bound = upper_bound(kind.missed, kind.taught, CONFIDENCE);
        let mut line = format!(
            "{}: {} of {} missed, so at most {:.1} % are missed with 95 % confidence",
            kind.name,
            kind.missed,
            kind.taught,
            100.0 * bound
        );
        if let Some(target) = defects.target_fnr.map(|target| round(f64::from(target)))
            && bound > target
        {
            let needed = trials_for(0, target);
            out_of_reach.push(kind.name.as_str());
            line += &needed.map_or_else(String::new, |needed| {
                format!("; {} % takes {needed} without a miss", percent(target))
            });
        }
        lines.push(line);
    }
    if let Some(target) = defects.target_fnr {
        let mut failed = vec![];
        if alarms > target_fpr {
            let needed = conformal::normals_for(round(target_fpr) / 2.0, 1.0 - (1.0 - CONFIDENCE) / 2.0);
            failed.push(format!(
                "for {} % false alarms export with a lower --target-fpr, from at least {} normals",
                percent(target_fpr),
                needed.map_or_else(|| "more than 10 million".to_owned(), |needed| needed.to_string())
            ));
        }
        if !out_of_reach.is_empty() {
            failed.push(format!(
                "for {} % misses teach more of {}",
                percent(target.into()),
                out_of_reach.join(", ")
            ));
        }
        lines.push(if failed.is_empty() {
            "both targets are reached".to_owned()
        } else {
            format!("the targets can't both be shown: {}", failed.join("; "))
        });
    }
    lines
}

/// Undoes the rounding of a share that was stored in 32 bits.
fn round(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_literature() {
        // No miss among 30 bounds the rate at 1 − 0.05^(1/30) = 9.5 %; the rule of three for many.
        assert!((upper_bound(0, 30, 0.95) - 0.0950).abs() < 1e-4);
        assert!((upper_bound(0, 3000, 0.95) - 3.0 / 3000.0).abs() < 2e-6);
        // Clopper and Pearson's table for two-sided 90 %: 1 of 10 and 5 of 10.
        assert!((upper_bound(1, 10, 0.95) - 0.3942).abs() < 1e-4);
        assert!((upper_bound(5, 10, 0.95) - 0.7776).abs() < 1e-4);
        assert_eq!((upper_bound(10, 10, 0.95), upper_bound(0, 0, 0.95)), (1.0, 1.0));
    }

    #[test]
    fn the_bound_of_two_limits_is_never_below_that_of_one() {
        for normals in [1, 20, 99, 300] {
            for rank in 2..=normals.min(12) {
                let (own, taught) = split(rank);
                let two = upper_bound(own - 1, normals, 0.975) + upper_bound(taught - 1, normals, 0.975);
                assert!(two >= upper_bound(rank - 1, normals, 0.95), "{rank} of {normals}");
            }
        }
    }

    #[test]
    fn the_number_of_trials_is_the_smallest_that_suffices() {
        assert_eq!(trials_for(0, 0.001), Some(2995));
        assert_eq!(trials_for(0, 0.01), Some(299));
        let one = trials_for(1, 0.01).unwrap();
        assert!(upper_bound(1, one, CONFIDENCE) <= 0.01 && upper_bound(1, one - 1, CONFIDENCE) > 0.01);
        assert_eq!(trials_for(0, 1e-9), None);
    }
}
