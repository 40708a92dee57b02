//! The options of Gaussian mixtures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::padim::Covariance;

/// A Gaussian mixture, with its options.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct GaussianMixture {
    /// number of Gaussians, or auto: as many as the photos speak for (by BIC, at most 8, and one for every ten photos)
    #[arg(long, value_name = "COUNT", default_value_t = Components::Auto)]
    pub components: Components,
    /// kind of covariances: full, one for all Gaussians, or diagonal, one for each
    #[arg(long, value_name = "KIND", value_enum, default_value = "full")]
    pub covariance: Covariance,
}

impl Default for GaussianMixture {
    fn default() -> Self {
        Self { components: Components::Auto, covariance: Covariance::Full }
    }
}

/// The number of Gaussians.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Components {
    /// By BIC.
    Auto,
    /// This many, if the photos allow it.
    Count(u8),
}

/// The largest number.
const MOST: u8 = 64;

/// An invalid number of Gaussians.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid number of Gaussians `{0}`: expected auto or a number from 1 to {MOST}")]
pub struct ComponentsError(String);

impl fmt::Display for Components {
    /// Writes the number as it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for Components {
    type Err = ComponentsError;

    fn from_str(text: &str) -> Result<Self, ComponentsError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let count = text.parse().ok().filter(|count| (1..=MOST).contains(count));
        count.map(Self::Count).ok_or_else(|| ComponentsError(text.to_owned()))
    }
}

impl From<Components> for String {
    fn from(components: Components) -> Self {
        components.to_string()
    }
}

impl TryFrom<String> for Components {
    type Error = ComponentsError;

    fn try_from(text: String) -> Result<Self, ComponentsError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_written() {
        for written in ["auto", "1", "64"] {
            assert_eq!(written.parse::<Components>().unwrap().to_string(), written);
        }
        for bad in ["", "0", "65", "-1", "1.5", "many", "300"] {
            assert!(bad.parse::<Components>().is_err(), "{bad}");
        }
    }
}
