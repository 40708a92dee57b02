//! Deep SVDD of the part as a whole (Ruff et al.: *Deep One-Class Classification*, ICML 2018): a network without biases draws good parts
//! towards a fixed centre.

use networks::onnx::{GraphBuilder, Value};
use networks::{Network, StateError, Weights, head};
use tch::{Device, Kind, Tensor};

use super::collapse::CollapseProbe;
use crate::distances::{add_squared, squared};
use crate::method::TrainError;
use crate::order::in_order;
use crate::run::Run;
use crate::samples::{SampleBatch, Samples};
use crate::torch::{Adam, Compute, TrainableChain, load_tensor, to_array};
use crate::training::{GraphInputs, Learner, MapLearner, augmented_batch};
use crate::trunk_features::TrunkFeatures;

/// Weight decay, the paper's.
const WEIGHT_DECAY: f64 = 1e-6;
/// Channels of the hidden layer and of the result.
const WIDTHS: [usize; 2] = [128, 32];
/// A coordinate of the centre is at least this far from 0, as in the paper's code: weights of 0 would reach it otherwise.
const CENTRE_FLOOR: f64 = 0.1;
const HEAD: &str = "head.";
const CENTRE: &str = "centre";

/// The network on the trunk's features, and its centre.
#[derive(Debug)]
pub struct ImageSvdd {
    features: TrunkFeatures,
    head: TrainableChain,
    /// 1×C×1×1.
    centre: Tensor,
    probe: CollapseProbe,
    adam: Adam,
    seed: u64,
    step: u64,
}

impl ImageSvdd {
    /// Creates an untrained network. Uses libtorch's global generator.
    #[must_use]
    pub fn new(teacher: &Network, device: Device, seed: u64) -> Self {
        let features = TrunkFeatures::unscaled(teacher);
        let [hidden, outputs] = WIDTHS;
        let compute = Compute { device, kind: Kind::Float };
        let chain = head(&[features.count(), hidden, outputs]);
        let head = TrainableChain::kept_variance(chain, compute).without_biases();
        let adam = Adam::new(head.parameters.iter(), WEIGHT_DECAY);
        let centre = Tensor::zeros([1, outputs as i64, 1, 1], (Kind::Float, device));
        let probe = CollapseProbe::new(features.count(), seed, device);
        Self { features, head, centre, probe, adam, seed, step: 0 }
    }

    /// Computes the mean result over all positions, N×C×1×1.
    fn of_features(&self, features: &Tensor) -> Tensor {
        self.head.forward(features, true).mean_dim([2i64, 3].as_slice(), true, Kind::Float)
    }

    /// Computes the squared distance from the centre, the mean over the channels: N×1×1×1.
    fn distance(&self, features: &Tensor) -> Tensor {
        squared(&self.of_features(features), &self.centre)
    }

    /// Returns the mean squared distance of noise from the centre.
    fn spread_of_noise(&self) -> f64 {
        tch::no_grad(|| self.distance(self.probe.noise())).mean(Kind::Double).double_value(&[])
    }
}

impl Learner for ImageSvdd {
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        let batch = augmented_batch(fit, indices, Kind::Float, (self.seed, step))?;
        Ok(self.distance(&self.features.of(&batch.targets)).mean(Kind::Float))
    }

    fn update(&mut self, step: u64, rate: f64) {
        self.adam.step(self.head.parameters.iter_mut(), step, rate);
        self.step = step + 1;
    }

    fn before_check(&mut self, _fit: &mut Samples) -> Result<(), TrainError> {
        if self.probe.has_collapsed(self.spread_of_noise()) {
            return Err(TrainError::Collapsed { step: self.step });
        }
        Ok(())
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        self.map(batch).mean(Kind::Double).double_value(&[])
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.features.add_to(&mut weights);
        self.head.add_to(&mut weights, HEAD);
        weights.insert(CENTRE.to_owned(), to_array(&self.centre));
        weights
    }

    fn add_to(&self, state: &mut Weights) {
        self.probe.add_to(state);
        self.adam.add_to(state);
    }

    fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.load_weights(state)?;
        self.probe.load(state)?;
        self.adam.load(state)
    }
}

impl MapLearner for ImageSvdd {
    fn uses_teacher(&self) -> bool {
        true
    }

    fn prepare(
        &mut self,
        _run: &Run,
        _compute: Compute,
        fit: &mut Samples,
        is_new: bool,
    ) -> Result<bool, TrainError> {
        if !is_new {
            return Ok(true);
        }
        if !self.features.measure(fit)? {
            return Ok(false);
        }
        let mut sum = self.centre.zeros_like();
        for indices in in_order(fit.count()) {
            let features = self.features.of(&fit.batch(&indices, Kind::Float)?.targets);
            sum += tch::no_grad(|| self.of_features(&features)).sum_dim_intlist(
                [0i64].as_slice(),
                true,
                Kind::Float,
            );
        }
        self.centre = away_from_0(&(sum / fit.count() as f64));
        self.probe.start(self.spread_of_noise());
        Ok(true)
    }

    fn map(&self, batch: &SampleBatch) -> Tensor {
        self.distance(&self.features.of(&batch.targets))
    }

    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.features.load(state)?;
        self.head.load(state, HEAD)?;
        load_tensor(state, CENTRE, &mut self.centre)
    }

    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError> {
        let features = self.features.add(g, &inputs.image, &inputs.levels);
        let results = self.head.to_onnx(g, &features, HEAD)?;
        let [channels, rows, columns] = [1, 2, 3].map(|axis| results.shape()[axis]);
        let by_channel = g.reshape(&results, &[1, channels, rows * columns]);
        let mean = g.mean_of_last(&by_channel);
        let mean = g.reshape(&mean, &[1, channels, 1, 1]);
        let centre = g.constant(CENTRE, &[1, channels, 1, 1], &to_array(&self.centre).data);
        Ok(add_squared(g, &mean, &centre))
    }
}

/// Moves coordinates that are nearly 0 to ± [`CENTRE_FLOOR`].
fn away_from_0(centre: &Tensor) -> Tensor {
    let sign = centre.ge(0.0).to_kind(Kind::Float) * 2.0 - 1.0;
    sign * centre.abs().clamp_min(CENTRE_FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_coordinate_of_the_centre_is_near_0() {
        let centre = Tensor::from_slice(&[0.0f32, -0.01, 0.05, 2.0, -3.0]).reshape([1, 5, 1, 1]);
        let moved: Vec<f32> = Vec::try_from(away_from_0(&centre).flatten(0, -1)).unwrap();
        assert_eq!(moved, [0.1, -0.1, 0.1, 2.0, -3.0]);
    }

    #[test]
    fn without_biases_nothing_in_gives_nothing_out() {
        tch::manual_seed(6);
        let svdd = ImageSvdd::new(&Network::by_name("resnet18").unwrap(), Device::Cpu, 0);
        let zeros = Tensor::zeros([1, svdd.features.count() as i64, 4, 4], (Kind::Float, Device::Cpu));
        assert_eq!(svdd.of_features(&zeros).abs().max().double_value(&[]), 0.0);
        svdd.of_features(&(zeros + 1.0)).sum(Kind::Float).backward();
        let (weights, biases): (Vec<_>, Vec<_>) = svdd.head.parameters.iter().partition(|p| p.dim() == 4);
        assert!(weights.iter().all(|p| p.grad().defined()) && biases.iter().all(|p| !p.grad().defined()));
    }
}
