//! Fits a mixture to images of good parts.

use super::em::Samples;
use super::model::Model;
use super::options::GaussianMixture;
use super::selection::select;
use crate::features::{ChannelStats, FeatureSet, mean_vector};
use crate::method::{FitError, ProgressCallback};
use crate::reservoir::Reservoir;

/// Parts that a mixture is fitted to at most: more change little, and each round takes time in proportion.
const SAMPLES: usize = 2048;

/// See [`crate::method::Method::fit`].
pub(super) fn fit(
    options: &GaussianMixture,
    set: &mut FeatureSet,
    indices: &[usize],
    seed: u64,
    progress: ProgressCallback<'_>,
) -> Result<Option<Model>, FitError> {
    let channels = set.shape()[0];
    let mut reservoir = Reservoir::new(channels, SAMPLES, seed);
    for &index in indices {
        // Each tile and each mirrored copy is judged separately, so each is a sample.
        for sample in set.of(index)?.iter() {
            reservoir.add(&mean_vector(&sample.vectors, sample.channels));
        }
        if !progress() {
            return Ok(None);
        }
    }
    Ok(Some(mixture(options, &reservoir.finish(), channels)))
}

fn mixture(options: &GaussianMixture, parts: &[f64], channels: usize) -> Model {
    let stats = ChannelStats::of(parts, channels);
    let samples = Samples::new(&stats, parts);
    Model::new(&stats, &select(&samples, options.covariance, options.components))
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::super::options::Components;
    use super::*;
    use crate::padim::Covariance;

    #[test]
    fn parts_of_two_kinds_are_near_and_what_lies_between_is_far() {
        let mut random = Seeded::new(1, 0);
        let mut draw = || random.below(2001) as f64 / 1000.0 - 1.0;
        // Three channels of very different magnitudes, and one that never varies.
        let parts: Vec<f64> = (0..200)
            .flat_map(|i| {
                let side = if i % 2 == 0 { 10.0 } else { -10.0 };
                [side + draw(), 500.0 - 50.0 * side + 50.0 * draw(), 0.01 * draw(), 7.0]
            })
            .collect();
        for covariance in [Covariance::Full, Covariance::Diagonal] {
            for components in [Components::Auto, Components::Count(2)] {
                let model = mixture(&GaussianMixture { components, covariance }, &parts, 4);
                assert_eq!(model.count(), 2, "{covariance:?}");
                let score = |part: [f32; 4]| score(&model, part);
                let (near, between, dead) = (
                    score([10.0, 0.0, 0.0, 7.0]),
                    score([0.0, 500.0, 0.0, 7.0]),
                    score([10.0, 0.0, 0.0, 7.01]),
                );
                assert!(near < 1.0 && between > 2.0 && dead < 1.0, "{covariance:?}: {near} {between} {dead}");
            }
        }
    }

    /// Computes the score by its definition.
    fn score(model: &Model, part: [f32; 4]) -> f64 {
        let v: Vec<f64> = part.iter().zip(&model.mean).map(|(x, m)| f64::from(x - m)).collect();
        let at = |values: &[f32], i: usize| f64::from(values[i]);
        let coordinate = |c: usize| match &model.whitening {
            Some(w) => (0..4).map(|row| v[row] * at(w, 4 * row + c)).sum(),
            None => v[c],
        };
        let exponent = |k: usize| {
            let scale = |i: usize| model.scale.as_ref().map_or(1.0, |scale| at(scale, i));
            let distance =
                |c: usize| ((coordinate(c) - at(&model.centres, 4 * k + c)) * scale(4 * k + c)).powi(2);
            (-0.5 * (0..4).map(distance).sum::<f64>() - at(&model.offsets, k)).exp()
        };
        (-2.0 * (0..model.count()).map(exponent).sum::<f64>().ln() / 4.0).max(0.0).sqrt()
    }

    #[test]
    fn few_and_equal_parts_give_finite_weights() {
        let samples = [[0.0, 1.0, 2.0], [0.0, 1.5, 1.0], [0.0, 0.5, 2.5]].concat();
        for covariance in [Covariance::Full, Covariance::Diagonal] {
            for parts in [&samples[..], &samples[..6], &samples[..3], &[0.0; 6], &[1e5; 9]] {
                let options = GaussianMixture { components: Components::Count(3), covariance };
                let model = mixture(&options, parts, 3);
                let optional = model.whitening.iter().chain(&model.scale).flatten();
                let all = model.mean.iter().chain(&model.centres).chain(&model.offsets).chain(optional);
                assert!(all.copied().all(|x| x.abs() < 1e9), "{model:?}");
            }
        }
    }
}
