//! A masked autoencoder: patches are hidden and rebuilt from their surroundings, with several masks for each frame (He et al.: *Masked
//! Autoencoders Are Scalable Vision Learners*, CVPR 2022; for anomalies, with convolutions: Zavrtanik, Kristan, Skočaj: *Reconstruction by
//! Inpainting for Visual Anomaly Detection*, Pattern Recognition 2021). This folder's README lists the differences, and figures.

mod learner;
mod masks;

pub use learner::MaskedAutoencoder;
pub use masks::Masks;

use networks::Network;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::autoencoder::TargetChoice;
use crate::map_method::MapMethod;
use crate::method::TrainError;
use crate::run::RunSettings;

/// The sides of patches that can be hidden: multiples of a feature's stride that leave several of them beside each other.
const PATCHES: [&str; 3] = ["8", "16", "32"];

/// The options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Options {
    /// what is rebuilt: pixels, the picture itself; or features, the teacher's features of it
    #[arg(long, value_enum, hide_possible_values = true, default_value = "features")]
    pub target: TargetChoice,
    /// side of a hidden patch in pixels of the network's input: 8, 16 or 32; larger defects need larger patches
    #[arg(long, value_name = "PIXELS", hide_possible_values = true, default_value = "32", value_parser = patch())]
    pub patch: u16,
}

/// Returns the parser of a patch's side.
fn patch() -> impl clap::builder::TypedValueParser<Value = u16> {
    use clap::builder::TypedValueParser as _;
    clap::builder::PossibleValuesParser::new(PATCHES).try_map(|side| side.parse::<u16>())
}

/// The method `masked-autoencoder`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MaskedAutoencoderMethod;

impl MapMethod for MaskedAutoencoderMethod {
    type Options = Options;
    type Learner = MaskedAutoencoder;

    const NAME: &'static str = "masked-autoencoder";
    const ABOUT: &'static str = "hides patches and rebuilds them from their surroundings; what doesn't fit its surroundings is anomalous; a baseline";
    const RATE: f64 = 1e-3;

    fn needs_backbone(options: &Options, _settings: &RunSettings) -> Result<bool, TrainError> {
        Ok(options.target == TargetChoice::Features)
    }

    fn learner(
        options: &Options,
        teacher: &Network,
        settings: &RunSettings,
        device: Device,
    ) -> MaskedAutoencoder {
        let input = settings.recipe.input;
        MaskedAutoencoder::new(options.target, options.patch.into(), teacher, input, device, settings.seed)
    }
}
