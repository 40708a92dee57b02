//! GANomaly as it is trained.

use networks::onnx::{GraphBuilder, Value};
use networks::{StateError, Weights, head, picture_decoder, picture_encoder};
use shared_format::Size;
use tch::{Device, Kind, Tensor};

use crate::distances::{add_squared, squared};
use crate::method::TrainError;
use crate::run::Run;
use crate::samples::{SampleBatch, Samples};
use crate::torch::{Adam, Compute, TrainableChain};
use crate::training::{GraphInputs, Learner, MapLearner, augmented_images};

/// The weight of the picture's error beside the other two terms, the paper's.
const PICTURE_WEIGHT: f64 = 50.0;
const WEIGHT_DECAY: f64 = 1e-5;
/// Beyond this, the networks have driven each other apart.
const EXPLODED: f64 = 1e4;
const HALVINGS: usize = 5;
/// Halvings of the critic, and the channels of the features by which it decides.
const CRITIC_HALVINGS: usize = 4;
const CRITIC_FEATURES: usize = 64;
const PREFIXES: [&str; 5] = ["encoder.", "decoder.", "second_encoder.", "critic.", "decision."];

/// Encoder, decoder and second encoder, and the critic that they are trained against.
#[derive(Debug)]
pub struct Ganomaly {
    /// In the order of [`PREFIXES`].
    chains: [TrainableChain; 5],
    adam: Adam,
    seed: u64,
}

/// What the networks make of pictures.
struct Passed {
    /// What the first encoder returns, N×C×h×w.
    latent: Tensor,
    /// The picture that is rebuilt from it.
    rebuilt: Tensor,
    /// What the second encoder makes of that picture.
    latent_again: Tensor,
}

impl Ganomaly {
    /// Creates untrained networks for pictures of this size. Uses libtorch's global generator.
    #[must_use]
    pub fn new(latent: usize, input: Size, device: Device, seed: u64) -> Self {
        let sides = [input.height as usize, input.width as usize];
        let compute = Compute { device, kind: Kind::Float };
        let encoder = || picture_encoder(3, latent, HALVINGS);
        let chains = [
            encoder(),
            picture_decoder(sides, [latent, 3], HALVINGS, HALVINGS),
            encoder(),
            picture_encoder(3, CRITIC_FEATURES, CRITIC_HALVINGS),
            head(&[CRITIC_FEATURES, 1]),
        ];
        let chains = chains.map(|chain| TrainableChain::kept_variance(chain, compute));
        let adam = Adam::new(chains.iter().flat_map(|chain| &chain.parameters), WEIGHT_DECAY);
        Self { chains, adam, seed }
    }

    fn pass(&self, picture: &Tensor) -> Passed {
        let [encoder, decoder, second_encoder, ..] = &self.chains;
        let latent = encoder.forward(picture, true);
        let rebuilt = decoder.forward(&latent, true);
        let latent_again = second_encoder.forward(&rebuilt, true);
        Passed { latent, rebuilt, latent_again }
    }

    /// Computes the encoders' and the decoder's loss, apart from what the critic says.
    fn reconstruction_loss(picture: &Tensor, passed: &Passed) -> Tensor {
        let picture = (picture - &passed.rebuilt).abs().mean(Kind::Float) * PICTURE_WEIGHT;
        picture + squared(&passed.latent, &passed.latent_again).mean(Kind::Float)
    }

    /// Computes how far rebuilt pictures are from real ones in the critic's features, which no gradient changes here.
    fn likeness_loss(&self, picture: &Tensor, rebuilt: &Tensor) -> Tensor {
        let critic = &self.chains[3];
        squared(&critic.forward_frozen(picture), &critic.forward_frozen(rebuilt)).mean(Kind::Float)
    }

    /// Computes the critic's own loss: the cross-entropy of telling pictures from rebuilt ones. No gradient reaches the latter.
    fn critic_loss(&self, picture: &Tensor, rebuilt: &Tensor) -> Tensor {
        let [.., critic, decision] = &self.chains;
        let decide = |picture: &Tensor| decision.forward(&critic.forward(picture, true).relu(), true);
        let real = (-decide(picture)).softplus().mean(Kind::Float);
        let fake = decide(&rebuilt.detach()).softplus().mean(Kind::Float);
        (real + fake) * 0.5
    }
}

impl Learner for Ganomaly {
    /// The critic learns in the same step as what it criticises: each loss has gradients for its own networks only, so their sum trains both.
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        let picture = augmented_images(fit, indices, Kind::Float, (self.seed, step))?;
        let passed = self.pass(&picture);
        Ok(Self::reconstruction_loss(&picture, &passed)
            + self.likeness_loss(&picture, &passed.rebuilt)
            + self.critic_loss(&picture, &passed.rebuilt))
    }

    fn is_sound(&self, loss: f64) -> bool {
        loss.abs() < EXPLODED
    }

    fn update(&mut self, step: u64, rate: f64) {
        let parameters = self.chains.iter_mut().flat_map(|chain| &mut chain.parameters);
        self.adam.step(parameters, step, rate);
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        Self::reconstruction_loss(&batch.image, &self.pass(&batch.image)).double_value(&[])
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        for (chain, prefix) in self.chains.iter().zip(PREFIXES) {
            chain.add_to(&mut weights, prefix);
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

impl MapLearner for Ganomaly {
    fn uses_teacher(&self) -> bool {
        false
    }

    fn prepare(
        &mut self,
        _run: &Run,
        _compute: Compute,
        _fit: &mut Samples,
        _is_new: bool,
    ) -> Result<bool, TrainError> {
        Ok(true)
    }

    /// The distance in latent space, on the latent's grid.
    fn map(&self, batch: &SampleBatch) -> Tensor {
        let Passed { latent, latent_again, .. } = self.pass(&batch.image);
        squared(&latent, &latent_again)
    }

    fn load_weights(&mut self, state: &Weights) -> Result<(), StateError> {
        self.chains.iter_mut().zip(PREFIXES).try_for_each(|(chain, prefix)| chain.load(state, prefix))
    }

    fn add_map(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Result<Value, StateError> {
        let mut through = inputs.normalised.clone();
        let mut latents = vec![];
        for (chain, prefix) in self.chains.iter().zip(PREFIXES).take(3) {
            through = chain.to_onnx(g, &through, prefix)?;
            latents.push(through.clone());
        }
        let [latent, _, latent_again] = &latents[..] else { return Err(StateError::missing("encoder")) };
        Ok(add_squared(g, latent, latent_again))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Size = Size { width: 64, height: 64 };

    fn pictures() -> Tensor {
        tch::manual_seed(9);
        Tensor::randn([2, 3, 64, 64], (Kind::Float, Device::Cpu))
    }

    /// Returns whether a gradient has reached each chain.
    fn reached(gan: &Ganomaly) -> [bool; 5] {
        let has = |p: &Tensor| p.grad().defined() && p.grad().abs().max().double_value(&[]) > 0.0;
        gan.chains.each_ref().map(|chain| chain.parameters.iter().any(has))
    }

    #[test]
    fn each_loss_reaches_its_own_networks_alone() {
        let picture = pictures();
        let gan = Ganomaly::new(4, INPUT, Device::Cpu, 0);
        let rebuilt = gan.pass(&picture).rebuilt;
        gan.critic_loss(&picture, &rebuilt).backward();
        assert_eq!(reached(&gan), [false, false, false, true, true]);
        let gan = Ganomaly::new(4, INPUT, Device::Cpu, 0);
        let passed = gan.pass(&picture);
        (Ganomaly::reconstruction_loss(&picture, &passed) + gan.likeness_loss(&picture, &passed.rebuilt))
            .backward();
        assert_eq!(reached(&gan), [true, true, true, false, false]);
    }

    #[test]
    fn losses_are_their_formulas() {
        let (picture, gan) = (pictures(), Ganomaly::new(4, INPUT, Device::Cpu, 0));
        let passed = gan.pass(&picture);
        let double = |x: &Tensor| x.to_kind(Kind::Double);
        let absolute = (double(&picture) - double(&passed.rebuilt)).abs().mean(Kind::Double);
        let latent = (double(&passed.latent) - double(&passed.latent_again)).square().mean(Kind::Double);
        let expected = (absolute * 50.0 + latent).double_value(&[]);
        let ours = Ganomaly::reconstruction_loss(&picture, &passed).double_value(&[]);
        assert!((ours / expected - 1.0).abs() < 1e-5, "{ours} against {expected}");
        // A critic that decides by nothing gives both kinds the same chance.
        let mut gan = gan;
        gan.chains[4].parameters.iter_mut().for_each(|p| tch::no_grad(|| drop(p.zero_())));
        let undecided = gan.critic_loss(&picture, &passed.rebuilt).double_value(&[]);
        assert!((undecided - 2f64.ln()).abs() < 1e-6, "{undecided}");
    }
}
