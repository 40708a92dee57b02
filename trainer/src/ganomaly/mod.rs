//! GANomaly (Akcay, Atapour-Abarghouei, Breckon: *GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training*, ACCV 2018). This
//! folder's README lists the differences from the paper, and figures.

mod learner;

pub use learner::Ganomaly;

use networks::Network;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::map_method::MapMethod;
use crate::method::TrainError;
use crate::run::RunSettings;

/// The options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Options {
    /// channels of the bottleneck at each of its positions
    #[arg(long, value_name = "CHANNELS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub latent: u16,
}

/// The method `ganomaly`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GanomalyMethod;

impl MapMethod for GanomalyMethod {
    type Options = Options;
    type Learner = Ganomaly;

    const NAME: &'static str = "ganomaly";
    const ABOUT: &'static str = "GANomaly: an encoder, a decoder and a second encoder are trained against a critic; where the encoders disagree, the part is \
         anomalous; a baseline";
    /// The paper's.
    const RATE: f64 = 2e-4;

    fn needs_backbone(_options: &Options, _settings: &RunSettings) -> Result<bool, TrainError> {
        Ok(false)
    }

    fn learner(options: &Options, _teacher: &Network, settings: &RunSettings, device: Device) -> Ganomaly {
        Ganomaly::new(options.latent.into(), settings.recipe.input, device, settings.seed)
    }
}
