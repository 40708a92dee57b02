//! The flows as they are trained.

use networks::{StateError, Weights};
use tch::{Device, Kind, Tensor};

use super::level::{LevelFlow, LevelLayout};
use crate::method::TrainError;
use crate::samples::{SampleBatch, Samples};
use crate::torch::Adam;
use crate::training::{Learner, augmented_batch};

/// Adam's weight decay, FastFlow's.
const WEIGHT_DECAY: f64 = 1e-5;
/// The gradient of a level's flow is shortened to this length: a single odd position must not throw the flow off.
const GRADIENT_NORM: f64 = 1.0;
/// Beyond this, in nats for each channel, a likelihood is that of no good part: the flow has exploded.
const EXPLODED: f64 = 1e4;

/// A flow for each level of the teacher, independent of each other.
#[derive(Debug)]
pub struct Flows {
    /// The flows, finest level first.
    pub levels: Vec<LevelFlow>,
    adam: Adam,
    seed: u64,
}

impl Flows {
    /// Creates flows that only rotate. Uses libtorch's global generator.
    #[must_use]
    pub fn new(layouts: &[LevelLayout], device: Device, seed: u64) -> Self {
        let levels: Vec<LevelFlow> =
            layouts.iter().map(|&layout| LevelFlow::new(layout, Kind::Float, device)).collect();
        let adam = Adam::new(levels.iter().flat_map(LevelFlow::parameters), WEIGHT_DECAY);
        Self { levels, adam, seed }
    }

    /// Computes the negative_log_likelihood of each level's positions, N×1×h×w each, see [`LevelFlow::negative_log_likelihood`].
    pub fn negative_log_likelihoods(&self, levels: &[Tensor]) -> Vec<Tensor> {
        self.levels.iter().zip(levels).map(|(flow, level)| flow.negative_log_likelihood(level)).collect()
    }

    /// Returns the mean over the levels of their mean negative_log_likelihoods.
    fn mean(&self, levels: &[Tensor]) -> Tensor {
        let means: Vec<Tensor> =
            self.negative_log_likelihoods(levels).iter().map(|map| map.mean(Kind::Float)).collect();
        Tensor::stack(&means, 0).mean(Kind::Float)
    }

    /// Loads the weights that [`Learner::weights`] returned.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.levels.iter_mut().enumerate().try_for_each(|(level, flow)| flow.load(state, &prefix(level)))
    }
}

impl Learner for Flows {
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        let batch = augmented_batch(fit, indices, Kind::Float, (self.seed, step))?;
        Ok(self.mean(&batch.targets))
    }

    fn is_sound(&self, loss: f64) -> bool {
        loss.abs() < EXPLODED
    }

    fn update(&mut self, step: u64, rate: f64) {
        for flow in &self.levels {
            shorten_gradient(flow);
        }
        self.adam.step(self.levels.iter_mut().flat_map(LevelFlow::parameters_mut), step, rate);
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        self.mean(&batch.targets).double_value(&[])
    }

    /// A hundredth of a nat for each channel is progress, wherever the likelihood's zero lies.
    fn progress(&self, selection: f64) -> f64 {
        selection.exp()
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.levels.iter().enumerate().for_each(|(level, flow)| flow.add_to(&mut weights, &prefix(level)));
        weights
    }

    fn add_to(&self, state: &mut Weights) {
        self.adam.add_to(state);
    }

    fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.load_weights(state)?;
        self.adam.load(state)
    }
}

fn prefix(level: usize) -> String {
    format!("level_{}.", level + 1)
}

fn shorten_gradient(flow: &LevelFlow) {
    tch::no_grad(|| {
        let gradients: Vec<Tensor> = flow.parameters().map(Tensor::grad).filter(Tensor::defined).collect();
        let squares: Vec<Tensor> =
            gradients.iter().map(|gradient| gradient.square().sum(Kind::Float)).collect();
        if squares.is_empty() {
            return;
        }
        let norm = Tensor::stack(&squares, 0).sum(Kind::Float).sqrt().double_value(&[]);
        if norm > GRADIENT_NORM {
            for mut gradient in gradients {
                let _ = gradient.g_mul_scalar_(GRADIENT_NORM / norm);
            }
        }
    });
}
