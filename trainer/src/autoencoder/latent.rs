//! The bottleneck between encoder and decoder.

use networks::onnx::{GraphBuilder, Value};
use networks::{StateError, Weights};
use tch::Tensor;

use super::memory::Memory;

/// Weight of the addresses' entropy in the loss of a memory: MemAE's.
const ENTROPY_WEIGHT: f64 = 2e-4;
/// The logarithm of a variance stays within ± this.
const LOG_VARIANCE: f64 = 8.0;

/// What happens between encoder and decoder.
#[derive(Debug)]
pub enum Bottleneck {
    /// This share of the values is set to 0 in training, and nothing otherwise.
    Dropout(f64),
    /// Mixtures of prototypes pass.
    Memory(Memory),
    /// The encoder returns mean and variance of a Gaussian; a sample passes in training, its mean otherwise (Kingma, Welling:
    /// *Auto-Encoding Variational Bayes*, ICLR 2014).
    Variational,
}

/// What comes out of a bottleneck.
#[derive(Debug)]
pub struct Passed {
    /// What the decoder reads, N×C×h×w.
    pub latent: Tensor,
    /// The latent deviation, N×1×h×w: how far the Gaussian is from a standard one. `None` if there is no Gaussian.
    pub deviation: Option<Tensor>,
    /// What the loss has beside the reconstruction, not yet averaged.
    pub penalty: Option<Tensor>,
}

impl Bottleneck {
    /// Returns the channels that the encoder has to return for a latent of `latent` channels.
    #[must_use]
    pub fn encoded(&self, latent: usize) -> usize {
        if matches!(self, Self::Variational) { 2 * latent } else { latent }
    }

    /// Passes what the encoder returned for images of `targets` values each. In training, draws from libtorch's global generator.
    #[must_use]
    pub fn pass(&self, encoded: &Tensor, training: bool, targets: f64) -> Passed {
        match self {
            Self::Dropout(share) => {
                Passed { latent: encoded.dropout(*share, training), deviation: None, penalty: None }
            }
            Self::Memory(memory) => {
                let [latent, entropy] = memory.address(encoded);
                Passed { latent, deviation: None, penalty: Some(entropy * ENTROPY_WEIGHT) }
            }
            Self::Variational => {
                let halves = encoded.chunk(2, 1);
                let [mean, log_variance] = [&halves[0], &halves[1].clamp(-LOG_VARIANCE, LOG_VARIANCE)];
                let deviation = divergence(mean, log_variance);
                let latent = if training {
                    mean + mean.randn_like() * (log_variance * 0.5).exp()
                } else {
                    mean.shallow_clone()
                };
                // The evidence's bound, for targets with a Gaussian error of variance 1, as a mean over the target's values.
                let latents = mean.numel() as f64 / mean.size()[0] as f64;
                let penalty = &deviation * (2.0 * latents / targets);
                Passed { latent, deviation: Some(deviation), penalty: Some(penalty) }
            }
        }
    }

    /// Adds the bottleneck to a model; returns what the decoder reads, and the latent deviation.
    pub fn add(&self, g: &mut GraphBuilder, encoded: &Value) -> (Value, Option<Value>) {
        match self {
            Self::Dropout(_) => (encoded.clone(), None),
            Self::Memory(memory) => (memory.add(g, encoded), None),
            Self::Variational => {
                let half = encoded.shape()[1] / 2;
                let [mean, log_variance] = [0, half].map(|from| g.slice_channels(encoded, from..from + half));
                let log_variance = g.clip(&log_variance, -LOG_VARIANCE as f32, LOG_VARIANCE as f32);
                let deviation = add_divergence(g, &mean, &log_variance);
                (mean, Some(deviation))
            }
        }
    }

    /// Returns the parameters.
    pub fn parameters(&self) -> Option<&Tensor> {
        if let Self::Memory(memory) = self { Some(&memory.prototypes) } else { None }
    }

    /// Returns the parameters.
    pub fn parameters_mut(&mut self) -> Option<&mut Tensor> {
        if let Self::Memory(memory) = self { Some(&mut memory.prototypes) } else { None }
    }

    /// Adds the parameters to a state.
    pub fn add_to(&self, state: &mut Weights) {
        if let Self::Memory(memory) = self {
            memory.add_to(state);
        }
    }

    /// Loads what [`Self::add_to`] added.
    ///
    /// # Errors
    /// If it is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        if let Self::Memory(memory) = self { memory.load(state) } else { Ok(()) }
    }
}

/// Computes the Kullback–Leibler divergence of Gaussians from a standard one, the mean over the channels: N×1×h×w.
fn divergence(mean: &Tensor, log_variance: &Tensor) -> Tensor {
    let sum = mean * mean + log_variance.exp() - log_variance - 1.0;
    sum.mean_dim([1i64].as_slice(), true, mean.kind()) * 0.5
}

/// Adds [`divergence`] to a model.
fn add_divergence(g: &mut GraphBuilder, mean: &Value, log_variance: &Value) -> Value {
    let square = g.mul(mean, mean);
    let variance = g.exp(log_variance);
    let sum = g.add(&square, &variance);
    let sum = g.sub(&sum, log_variance);
    let sum = g.sum_channels(&sum);
    let channels = mean.shape()[1] as f32;
    let [share, half] = [0.5 / channels, 0.5].map(|value| g.scalar(value));
    let mean = g.mul(&sum, &share);
    g.sub(&mean, &half)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn the_latent_deviation_is_the_integral_of_the_divergence() {
        let (mean, log_variance) = (0.7f64, -0.4f64);
        let deviation = log_variance.exp().sqrt();
        let density = |x: f64, mean: f64, deviation: f64| {
            (-0.5 * ((x - mean) / deviation).powi(2)).exp()
                / (deviation * (2.0 * std::f64::consts::PI).sqrt())
        };
        let step = 1e-3;
        let integral: f64 = (-8000..8000)
            .map(|i| f64::from(i) * step)
            .map(|x| {
                let p = density(x, mean, deviation);
                p * (p / density(x, 0.0, 1.0)).ln() * step
            })
            .sum();
        let tensor = |value: f64| Tensor::full([1, 1, 1, 1], value, (Kind::Double, Device::Cpu));
        let ours = divergence(&tensor(mean), &tensor(log_variance)).double_value(&[0, 0, 0, 0]);
        assert!((ours - integral).abs() < 1e-6, "{ours} against {integral}");
        assert_eq!(divergence(&tensor(0.0), &tensor(0.0)).double_value(&[0, 0, 0, 0]), 0.0);
    }

    #[test]
    fn a_sample_passes_in_training_alone() {
        tch::manual_seed(4);
        let encoded = Tensor::randn([2, 6, 4, 4], (Kind::Float, Device::Cpu));
        let pass = |training| Bottleneck::Variational.pass(&encoded, training, 480.0);
        let (trained, judged) = (pass(true), pass(false));
        assert!(judged.latent.equal(&encoded.narrow(1, 0, 3)));
        assert!(!trained.latent.equal(&judged.latent));
        let share = judged.penalty.unwrap().sum(Kind::Double) / judged.deviation.unwrap().sum(Kind::Double);
        assert!((share.double_value(&[]) - 0.2).abs() < 1e-5);
    }
}
