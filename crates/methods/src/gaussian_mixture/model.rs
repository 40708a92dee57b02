//! The learned model.

use super::em::{Mixture, Spread};
use crate::features::ChannelStats;

/// Mixed Gaussians of a part's mean feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The mean of each channel over good parts.
    pub mean: Vec<f32>,
    /// Channels × channels: turns features − mean, a row vector, into coordinates in which the covariance of each component is the
    /// identity; `None` if each component has variances of its own.
    pub whitening: Option<Vec<f32>>,
    /// The centre of each component, in these coordinates or relative to the mean: components × channels.
    pub centres: Vec<f32>,
    /// 1 / the deviation of each component's channels, components × channels; `None` if there is a whitening.
    pub scale: Option<Vec<f32>>,
    /// −ln of each component's share + ½ (the log-determinant of its covariance − the smallest of all components').
    pub offsets: Vec<f32>,
}

impl Model {
    pub(super) fn new(stats: &ChannelStats, mixture: &Mixture) -> Self {
        let channels = stats.mean.len();
        let determinants = mixture.log_determinants(channels);
        let least = determinants.iter().copied().fold(f64::INFINITY, f64::min);
        let offset = |(share, determinant): (&f64, f64)| (-share.ln() + 0.5 * (determinant - least)) as f32;
        let offsets = mixture.shares.iter().zip(determinants).map(offset).collect();
        let mean = stats.mean.iter().map(|&m| m as f32).collect();
        let centres = mixture.centres.chunks_exact(channels);
        match &mixture.spread {
            Spread::Shared(factor) => {
                let rows = || factor.chunks_exact(channels);
                let centres = centres.flat_map(|centre| {
                    let mut white = vec![0.0; channels];
                    for (x, row) in centre.iter().zip(rows()) {
                        white.iter_mut().zip(row).for_each(|(sum, w)| *sum += x * w);
                    }
                    white.into_iter().map(|x| x as f32)
                });
                let centres = centres.collect();
                let scaled = rows().zip(&stats.deviation);
                let whitening = scaled.flat_map(|(row, d)| row.iter().map(move |w| (w / d) as f32)).collect();
                Self { mean, whitening: Some(whitening), centres, scale: None, offsets }
            }
            Spread::Diagonal(deviations) => {
                let of_rows = |rows: &[f64], of: fn(f64, f64) -> f64| -> Vec<f32> {
                    let row = |row: &[f64]| -> Vec<f32> {
                        row.iter().zip(&stats.deviation).map(|(&x, &d)| of(x, d) as f32).collect()
                    };
                    rows.chunks_exact(channels).flat_map(row).collect()
                };
                let centres = of_rows(&mixture.centres, |x, d| x * d);
                let scale = of_rows(deviations, |own, d| 1.0 / (own * d));
                Self { mean, whitening: None, centres, scale: Some(scale), offsets }
            }
        }
    }

    /// Returns the number of components.
    #[must_use]
    pub fn count(&self) -> usize {
        self.offsets.len()
    }
}
