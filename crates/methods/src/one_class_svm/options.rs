//! The options of one-class support vector machines.

use serde::{Deserialize, Serialize};

use super::machine::Settings;

/// The machine at each position, with its options.
#[derive(Debug, Clone, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct OneClassSvm {
    /// dimensions that the features are reduced to
    #[arg(long, value_name = "D", default_value_t = Self::DIMENSIONS, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub dimensions: u16,
    /// The machine.
    #[command(flatten)]
    #[serde(flatten)]
    pub machine: MachineOptions,
}

/// The machine of a part as a whole, with its options.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct OneClassSvmImage {
    /// The machine.
    #[command(flatten)]
    #[serde(flatten)]
    pub machine: MachineOptions,
}

/// What both have in common.
#[derive(Debug, Clone, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineOptions {
    /// the largest share of what is learned from that may lie outside the machine's boundary: about the share of good parts that a line may reject
    #[arg(long, value_name = "SHARE", default_value_t = Self::NU, value_parser = share)]
    pub nu: f64,
    /// narrowness of the kernel: its gamma, as a multiple of 1 / the median squared distance of two features; the default is 4 at each position, 1 for the part as a whole
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub gamma: Option<f64>,
    /// maximum number of support vectors; a model's size and a frame's time grow with it
    #[arg(long, value_name = "COUNT", default_value_t = Self::SUPPORT_VECTORS, value_parser = clap::value_parser!(u16).range(16..=2048))]
    pub support_vectors: u16,
}

impl OneClassSvm {
    const DIMENSIONS: u16 = 128;
}

impl Default for OneClassSvm {
    fn default() -> Self {
        Self { dimensions: Self::DIMENSIONS, machine: MachineOptions::default() }
    }
}

impl MachineOptions {
    const NU: f64 = 0.05;
    const SUPPORT_VECTORS: u16 = 512;

    /// Returns the machine's settings; `gamma` is the method's own default.
    pub(super) fn settings(&self, gamma: f64) -> Settings {
        Settings { nu: self.nu, gamma: self.gamma.unwrap_or(gamma), most: self.support_vectors.into() }
    }
}

impl Default for MachineOptions {
    fn default() -> Self {
        Self { nu: Self::NU, gamma: None, support_vectors: Self::SUPPORT_VECTORS }
    }
}

/// A share that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid share `{0}`: expected a number from 0.001 to 1")]
struct ShareError(String);

fn share(text: &str) -> Result<f64, ShareError> {
    let share = text.parse::<f64>().ok().filter(|share| (0.001..=1.0).contains(share));
    share.ok_or_else(|| ShareError(text.to_owned()))
}

/// A factor that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid factor `{0}`: expected a number from 0.01 to 100")]
struct FactorError(String);

fn factor(text: &str) -> Result<f64, FactorError> {
    let factor = text.parse::<f64>().ok().filter(|factor| (0.01..=100.0).contains(factor));
    factor.ok_or_else(|| FactorError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_possible_shares_and_factors_are_read() {
        assert_eq!((share("0.05"), share("1")), (Ok(0.05), Ok(1.0)));
        assert_eq!((factor("0.5"), factor("100")), (Ok(0.5), Ok(100.0)));
        for text in ["", "0", "-1", "1.5", "NaN", "inf", "few"] {
            assert!(share(text).is_err(), "{text}");
        }
        for text in ["", "0", "-1", "101", "NaN", "inf", "wide"] {
            assert!(factor(text).is_err(), "{text}");
        }
    }
}
