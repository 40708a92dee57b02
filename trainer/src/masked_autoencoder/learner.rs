//! A masked autoencoder as it is trained.

use networks::onnx::{GraphBuilder, Value};
use networks::{Network, StateError, Weights, picture_decoder, picture_encoder};
use shared_format::Size;
use tch::{Device, Kind, Tensor};

use super::masks::{MASKS, Masks};
use crate::autoencoder::{Comparison, Target, TargetChoice};
use crate::method::TrainError;
use crate::run::Run;
use crate::samples::{SampleBatch, Samples};
use crate::torch::{Adam, Compute, TrainableChain};
use crate::training::{GraphInputs, Learner, MapLearner, augmented_batch, augmented_images};

const WEIGHT_DECAY: f64 = 1e-5;
/// Halvings of the picture's sides: three give the features' grid.
const HALVINGS: usize = 4;
const FEATURE_HALVINGS: usize = 3;
/// Channels between encoder and decoder: the surroundings are not a bottleneck, they are what there is to go by.
const LATENT: usize = 128;
const ENCODER: &str = "encoder.";
const DECODER: &str = "decoder.";

/// Rebuilds what masks hide from what they leave.
#[derive(Debug)]
pub struct MaskedAutoencoder {
    target: Target,
    encoder: TrainableChain,
    decoder: TrainableChain,
    masks: Masks,
    /// The masks on the picture, and on the map: 1×1×h×w each.
    hidden: [Vec<Tensor>; 2],
    adam: Adam,
    seed: u64,
}

impl MaskedAutoencoder {
    /// Creates an untrained one that rebuilds `target` in hidden patches of `patch` pixels. Uses libtorch's global generator.
    #[must_use]
    pub fn new(
        target: TargetChoice,
        patch: usize,
        teacher: &Network,
        input: Size,
        device: Device,
        seed: u64,
    ) -> Self {
        let target = Target::of(target, Comparison::L2, teacher);
        let doublings = if target.uses_teacher() { HALVINGS - FEATURE_HALVINGS } else { HALVINGS };
        let sides = [input.height as usize, input.width as usize];
        let compute = Compute { device, kind: Kind::Float };
        let chains = [
            // The fourth channel says what is hidden.
            picture_encoder(4, LATENT, HALVINGS),
            picture_decoder(sides, [LATENT, target.channels()], HALVINGS, doublings),
        ];
        let [encoder, decoder] = chains.map(|chain| TrainableChain::kept_variance(chain, compute));
        let adam = Adam::new(encoder.parameters.iter().chain(&decoder.parameters), WEIGHT_DECAY);
        let masks = Masks { input, patch };
        let hidden = [1, target.map_stride()]
            .map(|stride| (0..MASKS).map(|mask| masks.tensor(mask, stride, device)).collect());
        Self { target, encoder, decoder, masks, hidden, adam, seed }
    }

    /// Computes the map where a mask hides, and 0 elsewhere: N×1×h×w.
    fn hidden_map(&self, image: &Tensor, target: &Tensor, mask: usize) -> Tensor {
        let [on_picture, on_map] = self.hidden.each_ref().map(|masks| &masks[mask % MASKS]);
        let size = image.size();
        let shown = image * (1.0 - on_picture);
        let mark = on_picture.expand([size[0], 1, size[2], size[3]], false);
        let encoded = self.encoder.forward(&Tensor::cat(&[shown, mark], 1), true);
        let rebuilt = self.decoder.forward(&encoded, true);
        self.target.map(&self.target.distance(target, &rebuilt)) * on_map
    }
}

impl Learner for MaskedAutoencoder {
    /// The mean distance where something is hidden, with another mask in each step.
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        let key = (self.seed, step);
        let batch = if self.target.uses_teacher() {
            augmented_batch(fit, indices, Kind::Float, key)?
        } else {
            SampleBatch { image: augmented_images(fit, indices, Kind::Float, key)?, targets: vec![] }
        };
        let target = self.target.of_samples(&batch);
        let mask = (step % MASKS as u64) as usize;
        let share = self.hidden[1][mask].mean(Kind::Float);
        Ok(self.hidden_map(&batch.image, &target, mask).mean(Kind::Float) / share.clamp_min(f64::EPSILON))
    }

    fn update(&mut self, step: u64, rate: f64) {
        let parameters = self.encoder.parameters.iter_mut().chain(&mut self.decoder.parameters);
        self.adam.step(parameters, step, rate);
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        self.map(batch).mean(Kind::Double).double_value(&[])
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.target.add_to(&mut weights);
        self.encoder.add_to(&mut weights, ENCODER);
        self.decoder.add_to(&mut weights, DECODER);
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

impl MapLearner for MaskedAutoencoder {
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
        let target = self.target.of_samples(batch);
        let maps = (0..MASKS).map(|mask| self.hidden_map(&batch.image, &target, mask));
        maps.reduce(|sum, map| sum + map).unwrap_or_default()
    }

    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.target.load(state)?;
        self.encoder.load(state, ENCODER)?;
        self.decoder.load(state, DECODER)
    }

    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError> {
        let target = self.target.add(g, inputs);
        let encoder = self.encoder.add_constants(g, ENCODER)?;
        let decoder = self.decoder.add_constants(g, DECODER)?;
        let mut sum: Option<Value> = None;
        for mask in 0..MASKS {
            let constant = |g: &mut GraphBuilder, what: &str, stride: usize, values: Vec<f32>| {
                let [rows, columns] = self.masks.grid(stride);
                g.constant(&format!("mask_{}.{what}", mask + 1), &[1, 1, rows, columns], &values)
            };
            let hidden = self.masks.values(mask, 1);
            let shown = hidden.iter().map(|hidden| 1.0 - hidden).collect();
            let (hidden, shown) = (constant(g, "hidden", 1, hidden), constant(g, "shown", 1, shown));
            let stride = self.target.map_stride();
            let on_map = constant(g, "map", stride, self.masks.values(mask, stride));
            let left = g.mul(&inputs.normalised, &shown);
            let marked = g.concat_channels(&[left, hidden]);
            let encoded = self.encoder.chain().add(&encoder, g, &marked);
            let rebuilt = self.decoder.chain().add(&decoder, g, &encoded);
            let map = self.target.add_map(g, inputs, &target, &rebuilt);
            let map = g.mul(&map, &on_map);
            sum = Some(match sum {
                Some(sum) => g.add(&sum, &map),
                None => map,
            });
        }
        sum.ok_or(StateError::missing("encoder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_does_not_reach_what_is_rebuilt_there() {
        tch::manual_seed(10);
        let input = Size { width: 64, height: 64 };
        let network = Network::by_name("resnet18").unwrap();
        let learner = MaskedAutoencoder::new(TargetChoice::Pixels, 32, &network, input, Device::Cpu, 0);
        let picture = Tensor::randn([1, 3, 64, 64], (Kind::Float, Device::Cpu));
        let hidden = &learner.hidden[0][1];
        let changed = &picture + hidden * 5.0;
        // Both have the same target, so only what is rebuilt can differ.
        let map = |seen: &Tensor| learner.hidden_map(seen, &picture, 1);
        assert!(map(&picture).equal(&map(&changed)));
        let elsewhere = &picture + (1.0 - hidden) * 5.0;
        assert!(!map(&picture).equal(&map(&elsewhere)));
        // Nothing is compared where nothing is hidden.
        let visible: Tensor = map(&picture) * (1.0 - &learner.hidden[1][1]);
        assert_eq!(visible.abs().max().double_value(&[]), 0.0);
    }
}
