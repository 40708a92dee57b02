//! Fits a Gaussian to images of good parts.

use bundle::whitening::inverse_factor;

use super::model::Model;
use crate::features::{ChannelStats, FeatureSet, mean_vector};
use crate::method::{FitError, ProgressCallback};
use crate::shrinkage::Shrunk;

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
            means.extend(mean_vector(&sample.vectors, sample.channels));
        }
        if !progress() {
            return Ok(None);
        }
    }
    Ok(Some(gaussian(&means, set.shape()[0])))
}

/// Fits a Gaussian to samples of `channels` values each.
fn gaussian(samples: &[f64], channels: usize) -> Model {
    let stats = ChannelStats::of(samples, channels);
    let covariance = Shrunk::of(&stats, &stats.standardise(samples)).covariance;
    let factor = inverse_factor(&covariance, channels);
    let rows = factor.chunks_exact(channels).zip(&stats.deviation);
    let whitening = rows.flat_map(|(row, d)| row.iter().map(move |&w| (f64::from(w) / d) as f32));
    Model { whitening: whitening.collect(), mean: stats.mean.iter().map(|&m| m as f32).collect() }
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    #[test]
    fn channels_that_are_dead_and_few_samples_give_finite_weights() {
        let samples = [[0.0, 1.0, 2.0], [0.0, 1.5, 1.0], [0.0, 0.5, 2.5]].concat();
        for samples in [&samples[..], &samples[..6], &samples[..3], &[0.0; 6]] {
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
