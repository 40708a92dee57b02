//! The options of the reconstruction methods.

use serde::{Deserialize, Serialize};

/// What is rebuilt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TargetChoice {
    /// The picture itself
    Pixels,
    /// The teacher's features of it
    #[default]
    Features,
}

/// How what was rebuilt is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// The mean squared difference
    #[default]
    L2,
    /// The same plus structural dissimilarity
    Ssim,
}

/// The options that all of these methods have.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args, Serialize, Deserialize)]
pub struct Codec {
    /// what is rebuilt: pixels, the picture itself; or features, the teacher's features of it
    #[arg(long, value_enum, hide_possible_values = true, default_value = "features")]
    pub target: TargetChoice,
    /// how what was rebuilt is compared: l2, the mean squared difference; or ssim, the same plus structural dissimilarity (pixels only)
    #[arg(long, value_enum, hide_possible_values = true, default_value = "l2")]
    pub loss: Comparison,
    /// channels of the bottleneck at each of its positions: the fewer, the less can be rebuilt, defects included
    #[arg(long, value_name = "CHANNELS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub latent: u16,
}

/// The autoencoder's options.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args, Serialize, Deserialize)]
pub struct AutoencoderOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(super) codec: Codec,
    /// share of the bottleneck's values that are set to 0 in each training step
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    pub(super) dropout: f64,
}

/// The memory-augmented autoencoder's options.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args, Serialize, Deserialize)]
pub struct MemAeOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(super) codec: Codec,
    /// number of remembered prototypes
    #[arg(long, value_name = "PROTOTYPES", default_value_t = 200, value_parser = clap::value_parser!(u16).range(2..=2000))]
    pub(super) memory: u16,
}

/// The variational autoencoder's options.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args, Serialize, Deserialize)]
pub struct VaeOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(super) codec: Codec,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=0.9).contains(share));
    share.ok_or_else(|| format!("invalid share `{text}`: expected a number from 0 to 0.9"))
}
