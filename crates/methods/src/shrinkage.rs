//! Estimates a covariance of many channels from few samples.

use crate::features::ChannelStats;

/// Minimum share of the target: two samples, or copies of them, lie alike around their mean, so their error seems to be 0.
const MIN_SHARE: f64 = 1e-4;

/// A shrunk covariance of standardised samples, and how much it was shrunk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shrunk {
    /// Row-major, channels × channels. A channel that varies less than its minimum deviation counts as varying by it.
    pub covariance: Vec<f64>,
    /// The share of the target.
    pub share: f64,
}

impl Shrunk {
    /// Estimates the covariance of `standardised` samples.
    pub fn of(stats: &ChannelStats, standardised: &[f64]) -> Self {
        let channels = stats.mean.len();
        let (mut covariance, share) = covariance(standardised, channels);
        for (i, (v, d)) in stats.variance.iter().zip(&stats.deviation).enumerate() {
            covariance[i * channels + i] += 1.0 - v / (d * d);
        }
        Self { covariance, share }
    }
}

/// Computes Ledoit and Wolf's estimate (*A well-conditioned estimator for large-dimensional covariance matrices*,
/// 2004) of the covariance of centred samples of `channels` values each: (1 − s)·S + s·m·I, with S the sample
/// covariance, m its mean variance, and s minimising the expected error. Row-major, channels × channels.
///
/// With s = min(b², d²) / d², d² = |S − m·I|² and b² = Σ|x xᵀ − S|² / n², where Σ|x xᵀ − S|² = Σ|x|⁴ − n·|S|².
fn covariance(centred: &[f64], channels: usize) -> (Vec<f64>, f64) {
    let samples = (centred.len() / channels).max(1) as f64;
    let mut covariance = vec![0.0; channels * channels];
    let mut fourth_powers = 0.0;
    for sample in centred.chunks_exact(channels) {
        for (row, a) in covariance.chunks_exact_mut(channels).zip(sample) {
            row.iter_mut().zip(sample).for_each(|(c, b)| *c += a * b / samples);
        }
        fourth_powers += sample.iter().map(|x| x * x).sum::<f64>().powi(2);
    }
    let mean_variance = covariance.iter().step_by(channels + 1).sum::<f64>() / channels as f64;
    let square: f64 = covariance.iter().map(|c| c * c).sum();
    let distance = square - channels as f64 * mean_variance * mean_variance;
    let error = (fourth_powers / samples - square) / samples;
    // If all directions vary alike, the sample covariance already equals the shrinkage target.
    let share = if distance > 0.0 { (error / distance).clamp(MIN_SHARE, 1.0) } else { 0.0 };
    covariance.iter_mut().for_each(|c| *c *= 1.0 - share);
    covariance.iter_mut().step_by(channels + 1).for_each(|c| *c += share * mean_variance);
    (covariance, share)
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::covariance;

    /// Returns a sum of twelve uniform numbers, which is close to a Gaussian of deviation 1.
    fn gaussian(random: &mut Seeded) -> f64 {
        (0..12).map(|_| random.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0
    }

    /// Samples whose channel `i` has the deviation `i + 1`.
    fn samples(count: usize, channels: usize) -> Vec<f64> {
        let mut random = Seeded::new(5, 0);
        (0..count * channels).map(|i| (i % channels + 1) as f64 * gaussian(&mut random)).collect()
    }

    /// The rule as the paper writes it, one sample at a time.
    fn by_definition(centred: &[f64], p: usize) -> Vec<f64> {
        let n = centred.len() / p;
        let product = |k: usize, i: usize| centred[k * p + i / p] * centred[k * p + i % p];
        let s: Vec<f64> = (0..p * p).map(|i| (0..n).map(|k| product(k, i)).sum::<f64>() / n as f64).collect();
        let m = (0..p).map(|i| s[i * p + i]).sum::<f64>() / p as f64;
        let target = |i: usize| if i / p == i % p { m } else { 0.0 };
        let d2: f64 = (0..p * p).map(|i| (s[i] - target(i)).powi(2)).sum();
        let b2: f64 =
            (0..n).map(|k| (0..p * p).map(|i| (product(k, i) - s[i]).powi(2)).sum::<f64>()).sum::<f64>()
                / (n * n) as f64;
        let share = (b2.min(d2)) / d2;
        (0..p * p).map(|i| share * target(i) + (1.0 - share) * s[i]).collect()
    }

    #[test]
    fn it_is_the_papers_rule() {
        for (count, channels) in [(4, 9), (30, 6), (500, 3)] {
            let samples = samples(count, channels);
            let (ours, theirs) = (covariance(&samples, channels).0, by_definition(&samples, channels));
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() < 1e-9 * theirs[0].abs().max(1.0), "{a} {b}");
            }
        }
    }

    #[test]
    fn many_samples_are_believed_and_few_are_not() {
        let spread = |count| {
            let c = covariance(&samples(count, 3), 3).0;
            c[8] / c[0]
        };
        // The variances are 1, 4 and 9.
        assert!(spread(5000) > 8.0, "{}", spread(5000));
        assert!(spread(4) < spread(5000), "{}", spread(4));
        assert_eq!(covariance(&[0.0; 6], 2).0, [0.0; 4]);
    }
}
