//! Expectation–maximisation (Dempster, Laird, Rubin: *Maximum Likelihood from Incomplete Data via the EM Algorithm*, 1977) in
//! 64-bit floats, for few samples of many channels.
//!
//! Covariances are shrunk, so that no component can collapse onto a few samples: a shared one as that of all samples, a diagonal one
//! towards that of all samples.

use bundle::whitening::inverse_factor_f64;

use super::responsibilities::Responsibilities;
use crate::features::ChannelStats;
use crate::padim::Covariance;
use crate::shrinkage::Shrunk;

/// Rounds after which a mixture is taken as it is.
const ROUNDS: usize = 100;
/// A mixture is accepted if its log-likelihood rises by less than this per sample.
const TOLERANCE: f64 = 1e-5;
/// A component of fewer samples is degenerate.
const MIN_SAMPLES: f64 = 2.0;
/// Number of samples above which a component's own variances count more than those of all samples.
const TRUSTED: f64 = 10.0;
/// Smallest variance along any direction, of channels of variance 1.
const MIN_VARIANCE: f64 = 1e-6;

/// Standardised samples: each channel has mean 0 and variance 1, or less if it varies less than its minimum deviation.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    pub(super) channels: usize,
    pub(super) count: usize,
    /// count × channels.
    pub(super) values: Vec<f64>,
    /// The covariance of all samples.
    all: Shrunk,
    /// What each channel's variance lacks of 1.
    lack: Vec<f64>,
}

/// Mixed Gaussians, in standardised channels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mixture {
    /// The share of each component.
    pub shares: Vec<f64>,
    /// components × channels.
    pub centres: Vec<f64>,
    /// The covariances.
    pub spread: Spread,
    /// ln p of all samples.
    pub log_likelihood: f64,
}

/// The covariances of a mixture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spread {
    /// All components have the same: channels × channels, |v · W|² = v Σ⁻¹ vᵀ.
    Shared(Vec<f64>),
    /// Each has variances of its own; their roots, components × channels.
    Diagonal(Vec<f64>),
}

impl Samples {
    /// Standardises samples by their own statistics.
    pub(crate) fn new(stats: &ChannelStats, samples: &[f64]) -> Self {
        let channels = stats.mean.len();
        let values = stats.standardise(samples);
        let all = Shrunk::of(stats, &values);
        let lack = stats.variance.iter().zip(&stats.deviation).map(|(v, d)| 1.0 - v / (d * d)).collect();
        Self { channels, count: values.len() / channels, values, all, lack }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.channels)
    }

    /// Returns samples, or centres, in the coordinates in which the shared covariance is the identity.
    fn whiten(&self, values: &[f64], whitening: &[f64]) -> Vec<f64> {
        let mut white = Vec::with_capacity(values.len());
        for sample in values.chunks_exact(self.channels) {
            let mut sum = vec![0.0; self.channels];
            for (&x, row) in sample.iter().zip(whitening.chunks_exact(self.channels)) {
                sum.iter_mut().zip(row).for_each(|(s, w)| *s += x * w);
            }
            white.extend(sum);
        }
        white
    }
}

impl Mixture {
    /// Fits one Gaussian to all samples.
    pub(crate) fn one(samples: &Samples, covariance: Covariance) -> Self {
        Self::fit(samples, covariance, Responsibilities::one(samples.count)).0
    }

    /// Improves a mixture that starts from these responsibilities until it hardly changes; `None` if a component is
    /// degenerate. Returns the new responsibilities, too.
    pub(super) fn improve(
        samples: &Samples,
        covariance: Covariance,
        start: Responsibilities,
    ) -> Option<(Self, Responsibilities)> {
        let mut shares = start;
        let mut last = f64::NEG_INFINITY;
        for _ in 0..ROUNDS {
            if shares.totals().iter().any(|total| *total < MIN_SAMPLES) {
                return None;
            }
            let (mixture, next) = Self::fit(samples, covariance, shares);
            if !mixture.log_likelihood.is_finite() {
                return None;
            }
            if mixture.log_likelihood - last < TOLERANCE * samples.count as f64 {
                return Some((mixture, next));
            }
            (last, shares) = (mixture.log_likelihood, next);
        }
        if shares.totals().iter().any(|total| *total < MIN_SAMPLES) {
            return None;
        }
        Some(Self::fit(samples, covariance, shares))
    }

    /// Fits a mixture to samples with these responsibilities, and returns those that follow from it.
    fn fit(samples: &Samples, covariance: Covariance, of: Responsibilities) -> (Self, Responsibilities) {
        let totals = of.totals();
        let centres = of.means(samples);
        let shares: Vec<f64> = totals.iter().map(|total| total / samples.count.max(1) as f64).collect();
        let spread = match covariance {
            Covariance::Full => Spread::Shared(shared(samples, &shares, &centres)),
            Covariance::Diagonal => Spread::Diagonal(diagonal(samples, &of, &totals, &centres)),
        };
        let mut mixture = Self { shares, centres, spread, log_likelihood: 0.0 };
        let (next, log_likelihood) = Responsibilities::of(&mixture.log_densities(samples), samples.count);
        mixture.log_likelihood = log_likelihood;
        (mixture, next)
    }

    /// Returns the number of components.
    pub(crate) fn count(&self) -> usize {
        self.shares.len()
    }

    /// Returns the log-determinant of each component's covariance.
    pub(crate) fn log_determinants(&self, channels: usize) -> Vec<f64> {
        match &self.spread {
            Spread::Shared(whitening) => {
                let diagonal = whitening.iter().step_by(channels + 1);
                vec![-2.0 * diagonal.map(|w| w.ln()).sum::<f64>(); self.count()]
            }
            Spread::Diagonal(deviations) => {
                let of = |row: &[f64]| 2.0 * row.iter().map(|d| d.ln()).sum::<f64>();
                deviations.chunks_exact(channels).map(of).collect()
            }
        }
    }

    /// Computes ln(share · density) for each sample and component: samples × components.
    fn log_densities(&self, samples: &Samples) -> Vec<f64> {
        let channels = samples.channels;
        let usual = channels as f64 * (2.0 * std::f64::consts::PI).ln();
        let constants: Vec<f64> = (self.shares.iter().zip(self.log_determinants(channels)))
            .map(|(share, determinant)| share.ln() - 0.5 * (usual + determinant))
            .collect();
        let (values, centres) = match &self.spread {
            Spread::Shared(w) => (samples.whiten(&samples.values, w), samples.whiten(&self.centres, w)),
            Spread::Diagonal(_) => (samples.values.clone(), self.centres.clone()),
        };
        let mut densities = Vec::with_capacity(samples.count * self.count());
        for sample in values.chunks_exact(channels) {
            for (at, (centre, constant)) in centres.chunks_exact(channels).zip(&constants).enumerate() {
                let pairs = sample.iter().zip(centre);
                let square: f64 = match &self.spread {
                    Spread::Shared(_) => pairs.map(|(x, m)| (x - m).powi(2)).sum(),
                    Spread::Diagonal(deviations) => {
                        let own = &deviations[at * channels..(at + 1) * channels];
                        pairs.zip(own).map(|((x, m), d)| ((x - m) / d).powi(2)).sum()
                    }
                };
                densities.push(constant - 0.5 * square);
            }
        }
        densities
    }
}

/// Returns the whitening of the covariance around the components' centres: that of all samples less that of the centres, shrunk by
/// as much as that of all samples towards the same target.
fn shared(samples: &Samples, shares: &[f64], centres: &[f64]) -> Vec<f64> {
    let channels = samples.channels;
    let mut covariance = samples.all.covariance.clone();
    let own = 1.0 - samples.all.share;
    if shares.len() > 1 {
        for (centre, share) in centres.chunks_exact(channels).zip(shares) {
            for (row, a) in covariance.chunks_exact_mut(channels).zip(centre) {
                row.iter_mut().zip(centre).for_each(|(c, b)| *c -= own * share * a * b);
            }
        }
    }
    covariance.iter_mut().step_by(channels + 1).for_each(|c| *c += MIN_VARIANCE);
    inverse_factor_f64(&covariance, channels)
}

/// Returns the deviations of each component.
fn diagonal(samples: &Samples, of: &Responsibilities, totals: &[f64], centres: &[f64]) -> Vec<f64> {
    let channels = samples.channels;
    let mut squares = vec![0.0; centres.len()];
    for (sample, shares) in samples.iter().zip(of.iter()) {
        let components = centres.chunks_exact(channels).zip(squares.chunks_exact_mut(channels));
        for ((centre, squares), share) in components.zip(shares) {
            let pairs = sample.iter().zip(centre);
            squares.iter_mut().zip(pairs).for_each(|(sum, (x, m))| *sum += share * (x - m).powi(2));
        }
    }
    for (squares, total) in squares.chunks_exact_mut(channels).zip(totals) {
        for (square, lack) in squares.iter_mut().zip(&samples.lack) {
            let variance = (*square + total * lack + TRUSTED) / (total + TRUSTED);
            *square = variance.max(MIN_VARIANCE).sqrt();
        }
    }
    squares
}
