//! Fits a Gaussian to images of good parts.

use bundle::whitening::inverse_factor;

use super::model::Model;
use super::shrinkage::covariance;
use crate::features::FeatureSet;
use crate::method::{FitError, ProgressCallback};

/// Minimum deviation of a channel, as a share of the channels' mean magnitude: a channel that never varies must
/// not decide alone.
const MIN_DEVIATION: f64 = 1e-4;

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    set: &mut FeatureSet,
    indices: &[usize],
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, FitError> {
    let mut means = vec![];
    for &index in indices {
        // Each tile and each mirrored copy is judged separately, so each is a sample.
        for sample in set.of(index)?.iter() {
            means.extend(mean(&sample.vectors, sample.channels));
        }
        if !progress() {
            return Ok(None);
        }
    }
    Ok(Some(gaussian(&means, set.shape()[0])))
}

/// Computes the mean over all positions.
fn mean(vectors: &[f32], channels: usize) -> Vec<f64> {
    let positions = (vectors.len() / channels).max(1) as f64;
    let mut mean = vec![0.0; channels];
    for vector in vectors.chunks_exact(channels) {
        mean.iter_mut().zip(vector).for_each(|(m, &x)| *m += f64::from(x) / positions);
    }
    mean
}

/// Fits a Gaussian to samples of `channels` values each.
fn gaussian(samples: &[f64], channels: usize) -> Model {
    let count = (samples.len() / channels).max(1) as f64;
    let mut mean = vec![0.0; channels];
    for sample in samples.chunks_exact(channels) {
        mean.iter_mut().zip(sample).for_each(|(m, x)| *m += x / count);
    }
    let mut variance = vec![0.0; channels];
    for sample in samples.chunks_exact(channels) {
        for ((v, x), m) in variance.iter_mut().zip(sample).zip(&mean) {
            *v += (x - m).powi(2) / count;
        }
    }
    let size = mean.iter().map(|m| m.abs()).sum::<f64>() / channels as f64;
    let least = if size > 0.0 { MIN_DEVIATION * size } else { 1.0 };
    let deviation: Vec<f64> = variance.iter().map(|v| v.sqrt().max(least)).collect();
    let standardise = |sample: &[f64]| -> Vec<f64> {
        sample.iter().zip(&mean).zip(&deviation).map(|((x, m), d)| (x - m) / d).collect()
    };
    let centred: Vec<f64> = samples.chunks_exact(channels).flat_map(standardise).collect();
    let mut covariance = covariance(&centred, channels);
    // A channel that varies less than the minimum deviation counts as varying by it.
    for (i, (v, d)) in variance.iter().zip(&deviation).enumerate() {
        covariance[i * channels + i] += 1.0 - v / (d * d);
    }
    let factor = inverse_factor(&covariance, channels);
    let rows = factor.chunks_exact(channels).zip(&deviation);
    let whitening = rows.flat_map(|(row, d)| row.iter().map(move |&w| (f64::from(w) / d) as f32));
    Model { whitening: whitening.collect(), mean: mean.iter().map(|&m| m as f32).collect() }
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    #[test]
    fn channels_that_are_dead_and_few_samples_give_finite_weights() {
        let samples = [[0.0, 1.0, 2.0], [0.0, 1.5, 1.0], [0.0, 0.5, 2.5]].concat();
        for samples in [&samples[..], &samples[..3], &[0.0; 6]] {
            let model = gaussian(samples, 3);
            assert!(model.whitening.iter().all(|w| w.abs() < 1e6), "{model:?}");
        }
    }

    #[test]
    fn a_sample_that_breaks_the_common_movement_is_far() {
        let mut random = Seeded::new(1, 0);
        let mut draw = || random.below(2001) as f64 / 1000.0 - 1.0;
        // Two channels that vary together at very different magnitudes, and one that never varies.
        let samples: Vec<f64> = (0..200)
            .flat_map(|_| {
                let common = draw();
                [common + 0.1 * draw(), 500.0 + 100.0 * (common + 0.1 * draw()), 7.0]
            })
            .collect();
        let model = gaussian(&samples, 3);
        let distance = |sample: [f32; 3]| {
            let v: Vec<f32> = sample.iter().zip(&model.mean).map(|(x, m)| x - m).collect();
            let white = |c: usize| (0..3).map(|row| v[row] * model.whitening[3 * row + c]).sum::<f32>();
            ((0..3).map(|c| white(c).powi(2)).sum::<f32>() / 3.0).sqrt()
        };
        assert!(distance([0.5, 550.0, 7.0]) < 1.5, "{}", distance([0.5, 550.0, 7.0]));
        assert!(distance([0.5, 450.0, 7.0]) > 3.0, "{}", distance([0.5, 450.0, 7.0]));
        assert!(distance([0.0, 500.0, 7.001]) < 0.5, "{}", distance([0.0, 500.0, 7.001]));
    }
}
