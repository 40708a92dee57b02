//! Chooses the number of components.

use super::em::{Mixture, Samples};
use super::options::Components;
use super::responsibilities::Responsibilities;
use crate::padim::Covariance;

/// Most components that are tried.
const MOST: usize = 8;
/// Samples for each component that is tried: fewer say little about where its centre is.
const SAMPLES_PER_COMPONENT: usize = 10;

/// Fits mixtures of one, two, … components, each by splitting a component of the one before, and returns the one with the least
/// BIC (Schwarz: *Estimating the Dimension of a Model*, 1978), or that with the given number of components. If so many would be
/// degenerate, it has as many as possible.
pub(super) fn select(samples: &Samples, covariance: Covariance, components: Components) -> Mixture {
    let most = match components {
        Components::Auto => MOST.min(samples.count / SAMPLES_PER_COMPONENT),
        Components::Count(count) => count.into(),
    };
    let mut best = Mixture::one(samples, covariance);
    let mut least = bic(samples, &best, covariance);
    let mut responsibilities = Responsibilities::one(samples.count);
    while responsibilities.totals().len() < most {
        let split = responsibilities.split(samples);
        let improved = split.and_then(|split| Mixture::improve(samples, covariance, split));
        let Some((mixture, next)) = improved else { break };
        let criterion = bic(samples, &mixture, covariance);
        if components != Components::Auto || criterion < least {
            (best, least) = (mixture, criterion);
        }
        responsibilities = next;
    }
    best
}

/// Computes the Bayesian information criterion: −2 ln L + parameters · ln n.
fn bic(samples: &Samples, mixture: &Mixture, covariance: Covariance) -> f64 {
    let (count, channels) = (mixture.count(), samples.channels);
    let of_spread = match covariance {
        Covariance::Full => channels * (channels + 1) / 2,
        Covariance::Diagonal => count * channels,
    };
    let parameters = count - 1 + count * channels + of_spread;
    -2.0 * mixture.log_likelihood + parameters as f64 * (samples.count.max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;
    use crate::features::ChannelStats;

    const BOTH: [Covariance; 2] = [Covariance::Full, Covariance::Diagonal];

    /// Samples of four channels in groups whose centres are `apart` deviations from each other; the last channel never varies.
    fn groups(count: usize, groups: usize, apart: f64) -> Vec<f64> {
        let mut random = Seeded::new(7, 0);
        let mut draw =
            || (0..12).map(|_| random.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
        (0..count)
            .flat_map(|i| {
                let centre = apart * (i % groups) as f64;
                [100.0 + centre + draw(), 5.0 * (draw() - centre), draw(), 3.0]
            })
            .collect()
    }

    fn chosen(values: &[f64], covariance: Covariance, components: Components) -> (Samples, Mixture) {
        let samples = Samples::new(&ChannelStats::of(values, 4), values);
        let mixture = select(&samples, covariance, components);
        (samples, mixture)
    }

    #[test]
    fn as_many_components_as_there_are_groups() {
        for covariance in BOTH {
            for count in 1..4 {
                let (samples, mixture) = chosen(&groups(300, count, 8.0), covariance, Components::Auto);
                assert_eq!(mixture.count(), count, "{covariance:?}");
                assert!(
                    mixture.shares.iter().all(|share| (share * count as f64 - 1.0).abs() < 0.02),
                    "{mixture:?}"
                );
                // Each sample of a group is nearest to the same centre.
                let nearest = |sample: &[f64]| {
                    let distance = |k: &usize| -> f64 {
                        let centre = &mixture.centres[4 * k..4 * (k + 1)];
                        sample.iter().zip(centre).map(|(x, m)| (x - m).powi(2)).sum()
                    };
                    (0..count).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
                };
                let of: Vec<usize> = samples.iter().map(nearest).collect();
                let wrong = (0..300).filter(|&i| of[i] != of[i % count]).count();
                assert!(wrong < 6, "{covariance:?} {count}: {wrong}");
            }
        }
    }

    #[test]
    fn more_components_are_likelier_and_the_same_every_time() {
        for covariance in BOTH {
            let values = groups(200, 3, 6.0);
            let mut last = f64::NEG_INFINITY;
            for count in 1..4 {
                let (_, mixture) = chosen(&values, covariance, Components::Count(count));
                assert_eq!(mixture.count(), usize::from(count));
                assert!(mixture.log_likelihood > last, "{covariance:?} {count}");
                assert_eq!(chosen(&values, covariance, Components::Count(count)).1, mixture);
                last = mixture.log_likelihood;
            }
        }
    }

    #[test]
    fn one_two_five_and_equal_samples_give_finite_mixtures() {
        for covariance in BOTH {
            for components in [Components::Auto, Components::Count(8)] {
                for count in [1, 2, 5, 19] {
                    for values in [groups(count, 1, 0.0), vec![0.0; 4 * count], vec![1e6; 4 * count]] {
                        let (samples, mixture) = chosen(&values, covariance, components);
                        let sums = mixture.shares.iter().sum::<f64>();
                        assert!(
                            mixture.log_likelihood.is_finite() && (sums - 1.0).abs() < 1e-9,
                            "{mixture:?}"
                        );
                        assert!(mixture.centres.iter().all(|x| x.is_finite()), "{mixture:?}");
                        assert!(mixture.log_determinants(samples.channels).iter().all(|x| x.is_finite()));
                        assert!(2 * mixture.count() <= count.max(2), "{count}: {mixture:?}");
                    }
                }
            }
        }
    }
}
