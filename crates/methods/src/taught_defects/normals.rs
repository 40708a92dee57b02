//! The mean and the covariance of good parts' features at all positions, with any fold left out.

use bundle::whitening::inverse_factor;

use crate::features::Moments;

/// Weight of the variances alone in the covariance: few images say little about how channels vary together.
const SHRINKAGE: f64 = 0.5;
/// Minimum variance of a channel, as a share of the mean variance: rounding noise must not decide.
const VARIANCE_FLOOR: f64 = 1e-4;
/// The least mean variance of the channels, if good parts are all the same.
const LEAST_VARIANCE: f64 = 1e-12;

/// Sums over good parts' features, fold by fold.
#[derive(Debug)]
pub(super) struct NormalSums {
    channels: usize,
    folds: Vec<(f64, Moments)>,
}

impl NormalSums {
    pub(super) fn new(channels: usize, folds: usize) -> Self {
        Self { channels, folds: (0..folds).map(|_| (0.0, Moments::new(channels))).collect() }
    }

    /// Adds the vectors of a part of this fold.
    pub(super) fn add(&mut self, fold: usize, vectors: &[f32]) {
        if let Some((count, moments)) = self.folds.get_mut(fold) {
            *count += (vectors.len() / self.channels) as f64;
            moments.add(vectors);
        }
    }

    /// Returns the statistics without those of a fold.
    pub(super) fn without(&self, left_out: Option<usize>) -> NormalStats {
        let c = self.channels;
        let folds = self.folds.iter().enumerate();
        let kept = folds.filter(|(fold, (count, _))| Some(*fold) != left_out && *count > 0.0);
        let kept: Vec<(f64, Vec<f64>, Vec<f64>)> = kept
            .map(|(_, (count, moments))| {
                let (mean, covariance) = moments.finish();
                (*count, mean, covariance)
            })
            .collect();
        let all = kept.iter().map(|(count, ..)| count).sum::<f64>().max(1.0);
        let mut mean = vec![0.0; c];
        for (count, of_fold, _) in &kept {
            mean.iter_mut().zip(of_fold).for_each(|(sum, x)| *sum += count / all * x);
        }
        let mut covariance = vec![0.0; c * c];
        for (count, of_fold, own) in &kept {
            let shift: Vec<f64> = of_fold.iter().zip(&mean).map(|(x, m)| x - m).collect();
            for (at, sum) in covariance.iter_mut().enumerate() {
                *sum += count / all * (own[at] + shift[at / c] * shift[at % c]);
            }
        }
        NormalStats::new(mean, covariance)
    }
}

/// The mean and the covariance of good parts' features.
#[derive(Debug)]
pub(super) struct NormalStats {
    pub(super) mean: Vec<f64>,
    covariance: Vec<f64>,
    /// The least variance along any direction of length 1.
    floor: f64,
    /// Wᵀ with |v Wᵀ|² = v Σ⁻¹ vᵀ, for the shrunk covariance Σ.
    whitening: Vec<f32>,
}

impl NormalStats {
    fn new(mean: Vec<f64>, covariance: Vec<f64>) -> Self {
        let c = mean.len();
        let average = covariance.iter().step_by(c + 1).sum::<f64>() / c.max(1) as f64;
        let floor = VARIANCE_FLOOR * average.max(LEAST_VARIANCE);
        let mut shrunk: Vec<f64> = covariance.iter().map(|x| (1.0 - SHRINKAGE) * x).collect();
        for (at, variance) in shrunk.iter_mut().step_by(c + 1).enumerate() {
            *variance += SHRINKAGE * covariance[at * (c + 1)].max(0.0) + floor;
        }
        let whitening = inverse_factor(&shrunk, c);
        Self { mean, covariance, floor, whitening }
    }

    /// Returns the direction that tells features with mean `defect` best from those of good parts, along which good parts have a
    /// deviation of 1: Σ⁻¹ (defect − mean), Fisher's linear discriminant.
    pub(super) fn discriminant(&self, defect: &[f64]) -> Vec<f32> {
        let c = self.mean.len();
        let mut white = vec![0.0; c];
        for (row, (x, m)) in self.whitening.chunks_exact(c).zip(defect.iter().zip(&self.mean)) {
            white.iter_mut().zip(row).for_each(|(sum, w)| *sum += (x - m) * f64::from(*w));
        }
        let rows = self.whitening.chunks_exact(c);
        let direction: Vec<f64> =
            rows.map(|row| row.iter().zip(&white).map(|(w, x)| f64::from(*w) * x).sum()).collect();
        let variance: f64 = self
            .covariance
            .chunks_exact(c)
            .zip(&direction)
            .map(|(row, d)| d * row.iter().zip(&direction).map(|(s, e)| s * e).sum::<f64>())
            .sum();
        let length: f64 = direction.iter().map(|x| x * x).sum();
        let variance = variance.max(self.floor * length);
        let scale = if variance > 0.0 { 1.0 / variance.sqrt() } else { 0.0 };
        direction.iter().map(|x| (x * scale) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::seeded::Seeded;

    #[test]
    fn a_fold_left_out_leaves_no_trace_and_the_direction_tells_apart() {
        let mut random = Seeded::new(3, 0);
        let mut draw = || random.below(2001) as f32 / 1000.0 - 1.0;
        // Two channels that vary together, and one alone.
        let mut vectors = |count: usize, shift: f32| -> Vec<f32> {
            (0..count)
                .flat_map(|_| {
                    let (common, own) = (10.0 * draw(), draw());
                    [100.0 + common + shift, 50.0 + common + 0.1 * draw(), 7.0 + own]
                })
                .collect()
        };
        let (one, other) = (vectors(4000, 0.0), vectors(500, 90.0));
        let mut sums = NormalSums::new(3, 2);
        one.chunks(3000).for_each(|part| sums.add(0, part));
        let alone = sums.without(None);
        sums.add(1, &other);
        let without = sums.without(Some(1));
        assert_eq!(alone.mean, without.mean);
        assert_eq!(alone.covariance, without.covariance);
        assert!((sums.without(None).mean[0] - 110.0).abs() < 1.0);
        // A defect that breaks the common movement: neither channel alone is unusual.
        let direction = alone.discriminant(&[104.0, 46.0, 7.0]);
        let along = |v: &[f32]| v.iter().zip(&direction).map(|(x, d)| x * d).sum::<f32>();
        let scores: Vec<f32> = one.chunks_exact(3).map(along).collect();
        let mean = scores.iter().sum::<f32>() / 4000.0;
        let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / 4000.0).sqrt();
        assert!((deviation - 1.0).abs() < 0.02, "{deviation}");
        assert!(along(&[104.0, 46.0, 7.0]) - mean > 5.0, "{}", along(&[104.0, 46.0, 7.0]) - mean);
    }

    #[test]
    fn features_that_never_vary_stay_finite() {
        let mut sums = NormalSums::new(2, 1);
        sums.add(0, &[1.0, 2.0, 1.0, 2.0]);
        let stats = sums.without(None);
        assert!(stats.discriminant(&[1.0, 2.0]).iter().all(|x| x.is_finite()));
        assert!(stats.discriminant(&[3.0, 1.0]).iter().all(|x| x.is_finite()));
    }
}
