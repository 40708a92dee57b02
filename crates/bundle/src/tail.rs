//! Estimates a threshold from all large scores of normals rather than from the largest one or two.
//!
//! With 20 to 60 normals the threshold that can be claimed is the largest score, so one odd photo decides it. Here the scores above
//! their 70 % quantile are assumed to fall off exponentially (peaks over threshold: Pickands, 1975, with a shape of 0), at the rate
//! given by their median, which a few odd ones hardly move. It is an estimate: the number of good parts it rejects is not bounded.

/// The tail is this share of the scores …
const SHARE: f64 = 0.3;
/// … and must hold at least this many of them.
const MIN_SCORES: usize = 5;

/// Estimates the score that about `target` of new normals exceeds; `None` if there are too few scores or the target is outside
/// their tail. `ascending` are the scores of normals.
pub(crate) fn estimate(ascending: &[f32], target: f64) -> Option<f32> {
    let start = ascending.get(((1.0 - SHARE) * ascending.len() as f64) as usize)?;
    let excesses: Vec<f64> =
        ascending.iter().map(|score| f64::from(score - start)).filter(|excess| *excess > 0.0).collect();
    if excesses.len() < MIN_SCORES || target >= SHARE {
        return None;
    }
    let [low, high] = [(excesses.len() - 1) / 2, excesses.len() / 2].map(|middle| excesses[middle]);
    let scale = (low + high) / 2.0 / std::f64::consts::LN_2;
    Some((f64::from(*start) + scale * (SHARE / target).ln()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    #[test]
    fn about_the_target_of_new_normals_exceeds_it() {
        let mut random = Seeded::new(7, 0);
        let mut uniform = || (random.below(1 << 20) as f64 + 0.5) / f64::from(1 << 20);
        // Quantile functions of scores without a tail, with a light one and with a heavy one.
        let kinds: [fn(f64) -> f64; 3] = [|u| u, |u| -(1.0 - u).ln(), |u| (1.0 - u).powf(-0.2)];
        for (kind, quantile) in kinds.iter().enumerate() {
            for (normals, target) in [(31, 0.05), (60, 0.05), (200, 0.01)] {
                let mut alarms = 0;
                for _ in 0..400 {
                    let mut scores: Vec<f32> = (0..normals).map(|_| quantile(uniform()) as f32).collect();
                    scores.sort_by(f32::total_cmp);
                    let threshold = f64::from(estimate(&scores, target).unwrap());
                    alarms += (0..200).filter(|_| quantile(uniform()) > threshold).count();
                }
                let rate = alarms as f64 / 80_000.0;
                // A heavy tail doubles it; see docs/methods.md.
                assert!(rate < 2.5 * target, "kind {kind}, {normals} normals, target {target}: {rate}");
            }
        }
    }

    #[test]
    fn one_odd_score_does_not_decide() {
        let mut scores: Vec<f32> = (0..30).map(|n| n as f32 / 10.0).collect();
        let without = estimate(&scores, 0.05).unwrap();
        scores.push(1000.0);
        let with = estimate(&scores, 0.05).unwrap();
        assert!((with - without).abs() < 0.5, "{without} and {with}");
    }

    #[test]
    fn too_few_scores_and_equal_ones_say_nothing() {
        assert_eq!(estimate(&[], 0.05), None);
        assert_eq!(estimate(&[1.0, 2.0, 3.0, 4.0], 0.05), None);
        assert_eq!(estimate(&[1.0; 100], 0.05), None);
        let scores: Vec<f32> = (0..100).map(|n| n as f32).collect();
        assert_eq!(estimate(&scores, 0.3), None);
    }
}
