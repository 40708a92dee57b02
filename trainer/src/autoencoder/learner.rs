//! An autoencoder as it is trained.

use networks::onnx::{GraphBuilder, Value};
use networks::{StateError, Weights};
use shared_format::Size;
use tch::{Device, Kind, Tensor};

use super::latent::{Bottleneck, Passed};
use super::target::Target;
use crate::level_maps::{
    LevelScale, LevelSums, add_combined, add_scales_to, combined, has_scales, scales_from,
};
use crate::method::TrainError;
use crate::order::in_order;
use crate::run::Run;
use crate::samples::{SampleBatch, Samples};
use crate::torch::{Adam, Compute, TrainableChain};
use crate::training::{GraphInputs, Learner, MapLearner, seed_step};

const WEIGHT_DECAY: f64 = 1e-5;
const ENCODER: &str = "encoder.";
const DECODER: &str = "decoder.";

/// Encoder, bottleneck and decoder. What they can't rebuild is unlike any good part.
#[derive(Debug)]
pub struct Autoencoder {
    target: Target,
    encoder: TrainableChain,
    bottleneck: Bottleneck,
    decoder: TrainableChain,
    /// The scales of reconstruction and latent deviation, once training has ended, if there is a latent deviation.
    scales: Option<Vec<LevelScale>>,
    adam: Adam,
    seed: u64,
}

impl Autoencoder {
    /// Creates an untrained one for an input of this size, with `latent` channels in the bottleneck. Uses libtorch's global generator.
    #[must_use]
    pub fn new(
        target: Target,
        bottleneck: Bottleneck,
        latent: usize,
        input: Size,
        device: Device,
        seed: u64,
    ) -> Self {
        let compute = Compute { device, kind: Kind::Float };
        let chains = target.codec(input, bottleneck.encoded(latent), latent);
        let [encoder, decoder] = chains.map(|chain| TrainableChain::kept_variance(chain, compute));
        let parameters = encoder.parameters.iter().chain(&decoder.parameters).chain(bottleneck.parameters());
        let adam = Adam::new(parameters, WEIGHT_DECAY);
        Self { target, encoder, bottleneck, decoder, scales: None, adam, seed }
    }

    /// Rebuilds a target; also returns what came out of the bottleneck.
    fn rebuild(&self, target: &Tensor, training: bool) -> (Tensor, Passed) {
        let encoded = self.encoder.forward(target, training);
        let targets = target.numel() as f64 / target.size()[0] as f64;
        let passed = self.bottleneck.pass(&encoded, training, targets);
        (self.decoder.forward(&passed.latent, training), passed)
    }

    /// Computes the loss of a target.
    fn loss_of(&self, target: &Tensor, training: bool) -> Tensor {
        let (rebuilt, passed) = self.rebuild(target, training);
        let loss = self.target.distance(target, &rebuilt).mean(Kind::Float);
        match passed.penalty {
            Some(penalty) => loss + penalty.mean(Kind::Float),
            None => loss,
        }
    }

    /// Computes the map of the reconstruction, and that of the latent deviation if there is one.
    fn maps(&self, batch: &SampleBatch) -> Vec<Tensor> {
        let target = self.target.of_samples(batch);
        let (rebuilt, passed) = self.rebuild(&target, false);
        let map = self.target.map(&self.target.distance(&target, &rebuilt));
        std::iter::once(map).chain(passed.deviation).collect()
    }
}

impl Learner for Autoencoder {
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        // For dropout and samples of the latent.
        seed_step(self.seed, step);
        let target = self.target.augmented(fit, indices, self.seed, step)?;
        Ok(self.loss_of(&target, true))
    }

    fn update(&mut self, step: u64, rate: f64) {
        let chains = self.encoder.parameters.iter_mut().chain(&mut self.decoder.parameters);
        self.adam.step(chains.chain(self.bottleneck.parameters_mut()), step, rate);
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        self.loss_of(&self.target.of_samples(batch), false).double_value(&[])
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.target.add_to(&mut weights);
        self.encoder.add_to(&mut weights, ENCODER);
        self.bottleneck.add_to(&mut weights);
        self.decoder.add_to(&mut weights, DECODER);
        if let Some(scales) = &self.scales {
            add_scales_to(&mut weights, scales);
        }
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

impl MapLearner for Autoencoder {
    fn uses_teacher(&self) -> bool {
        self.target.uses_teacher()
    }

    fn prepare(
        &mut self,
        _run: &Run,
        _compute: Compute,
        fit: &mut Samples,
        is_new: bool,
    ) -> Result<bool, TrainError> {
        if is_new { self.target.measure(fit) } else { Ok(true) }
    }

    fn map(&self, batch: &SampleBatch) -> Tensor {
        let maps = self.maps(batch);
        let combined = self.scales.as_ref().and_then(|scales| combined(&maps, scales));
        combined.or_else(|| maps.into_iter().next()).unwrap_or_default()
    }

    fn settle(&mut self, good: [&mut Samples; 2]) -> Result<(), TrainError> {
        if !matches!(self.bottleneck, Bottleneck::Variational) {
            return Ok(());
        }
        let mut sums = [LevelSums::default(); 2];
        for samples in good {
            for indices in in_order(samples.count()) {
                let batch = samples.batch(&indices, Kind::Float)?;
                let maps = tch::no_grad(|| self.maps(&batch));
                sums.iter_mut().zip(&maps).for_each(|(sums, map)| sums.add(map));
            }
        }
        // A scale that isn't finite makes the score's statistics fail, which stops the run with a sentence.
        self.scales = sums.iter().map(LevelSums::scale).collect();
        Ok(())
    }

    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.target.load(state)?;
        self.encoder.load(state, ENCODER)?;
        self.bottleneck.load(state)?;
        self.decoder.load(state, DECODER)?;
        let is_settled = matches!(self.bottleneck, Bottleneck::Variational) && has_scales(state);
        self.scales = is_settled.then(|| scales_from(state, 2)).transpose()?;
        Ok(())
    }

    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError> {
        let target = self.target.add(g, inputs);
        let encoded = self.encoder.to_onnx(g, &target, ENCODER)?;
        let (latent, deviation) = self.bottleneck.add(g, &encoded);
        let rebuilt = self.decoder.to_onnx(g, &latent, DECODER)?;
        let map = self.target.add_map(g, inputs, &target, &rebuilt);
        let Some(deviation) = deviation else { return Ok(map) };
        let scales = self.scales.as_ref().ok_or(StateError::missing("scoring.means"))?;
        add_combined(g, &[map, deviation], scales).ok_or(StateError::missing("scoring.means"))
    }
}
