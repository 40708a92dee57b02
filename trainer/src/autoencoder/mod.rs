//! Methods that rebuild a part from few values: a plain autoencoder (Bergmann et al., 2018), one with a memory (Gong et al., ICCV 2019) and
//! a variational one (Kingma, Welling, ICLR 2014). This folder's README lists the differences from the papers, and figures.

mod latent;
mod learner;
mod memory;
mod options;
mod target;

pub use latent::Bottleneck;
pub use learner::Autoencoder;
pub use memory::Memory;
pub use options::{AutoencoderOptions, Codec, Comparison, MemAeOptions, TargetChoice, VaeOptions};
pub use target::Target;

use networks::Network;
use tch::Device;

use crate::map_method::MapMethod;
use crate::method::TrainError;
use crate::run::RunSettings;

/// Adam's learning rate.
const RATE: f64 = 1e-3;

/// The method `autoencoder`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainAutoencoder;

/// The method `memae`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemAe;

/// The method `vae`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vae;

impl MapMethod for PlainAutoencoder {
    type Options = AutoencoderOptions;
    type Learner = Autoencoder;

    const NAME: &'static str = "autoencoder";
    const ABOUT: &'static str =
        "an autoencoder rebuilds good parts from few values; what it can't rebuild is anomalous; a baseline";
    const RATE: f64 = RATE;

    fn needs_backbone(options: &AutoencoderOptions, _settings: &RunSettings) -> Result<bool, TrainError> {
        options.codec.needs_backbone()
    }

    fn learner(
        options: &AutoencoderOptions,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> Autoencoder {
        options.codec.learner(Bottleneck::Dropout(options.dropout), teacher, settings, device)
    }
}

impl MapMethod for MemAe {
    type Options = MemAeOptions;
    type Learner = Autoencoder;

    const NAME: &'static str = "memae";
    const ABOUT: &'static str =
        "an autoencoder that rebuilds every part from a few remembered pieces of good ones; a baseline";
    const RATE: f64 = RATE;

    fn needs_backbone(options: &MemAeOptions, _settings: &RunSettings) -> Result<bool, TrainError> {
        options.codec.needs_backbone()
    }

    fn learner(
        options: &MemAeOptions,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> Autoencoder {
        let memory = Memory::random(options.memory.into(), options.codec.latent.into(), device);
        options.codec.learner(Bottleneck::Memory(memory), teacher, settings, device)
    }
}

impl MapMethod for Vae {
    type Options = VaeOptions;
    type Learner = Autoencoder;

    const NAME: &'static str = "vae";
    const ABOUT: &'static str = "a variational autoencoder: what it can't rebuild, or has to rebuild from unusual values, is anomalous; a baseline";
    const RATE: f64 = RATE;

    fn needs_backbone(options: &VaeOptions, _settings: &RunSettings) -> Result<bool, TrainError> {
        options.codec.needs_backbone()
    }

    fn learner(
        options: &VaeOptions,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> Autoencoder {
        options.codec.learner(Bottleneck::Variational, teacher, settings, device)
    }
}

impl Codec {
    /// Returns whether the teacher must be a backbone.
    fn needs_backbone(self) -> Result<bool, TrainError> {
        match (self.target, self.loss) {
            (TargetChoice::Features, Comparison::Ssim) => Err(TrainError::Unfit(
                "--loss ssim compares pictures, not features; omit it, or add --target pixels".to_owned(),
            )),
            (target, _) => Ok(target == TargetChoice::Features),
        }
    }

    fn learner(
        self,
        bottleneck: Bottleneck,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> Autoencoder {
        let target = Target::of(self.target, self.loss, teacher);
        Autoencoder::new(target, bottleneck, self.latent.into(), settings.recipe.input, device, settings.seed)
    }
}
