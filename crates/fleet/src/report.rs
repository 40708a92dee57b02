//! What a board says about itself, as JSON.

use serde::{Deserialize, Serialize};

/// What a board says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoardReport {
    /// The board's name.
    pub board: String,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The version of its gateway.
    pub version: String,
    /// The version of the line's program; empty while the line isn't there.
    pub line_version: String,
    /// The serial number of the newest index that it has accepted; 0 if none.
    pub index: u64,
    /// Its products.
    pub products: Vec<ProductReport>,
    /// Parts over all runs.
    pub parts: u64,
    /// Rejected ones among them.
    pub rejected: u64,
    /// From the trigger to the verdict, 99th percentile over the last minutes, in milliseconds.
    #[serde(default)]
    pub p99_ms: Option<f64>,
    /// The active alarms.
    pub alarms: Vec<String>,
    /// Why the fleet's folder can't be followed, in a sentence.
    #[serde(default)]
    pub problem: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub at_unix_ms: u64,
}

/// How a product of a board is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductReport {
    /// The product's name in the line file.
    pub product: String,
    /// The SHA-256 of the threshold file of the bundle in use; empty while it isn't known.
    pub identity: String,
    /// The serial number of the bundle in use, if the index names that bundle.
    #[serde(default)]
    pub serial: Option<u64>,
    /// The serial number of the bundle that the index names.
    #[serde(default)]
    pub wanted: Option<u64>,
    /// How far it is.
    pub progress: Progress,
    /// Why it has not come further, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far the golden frames' scores were off when the bundle was installed, at most.
    #[serde(default)]
    pub golden: Option<f32>,
}

/// How far a board is with the bundle that the index names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nothing is wanted of this product.
    Unmanaged,
    /// The line hasn't said yet what it runs.
    Unknown,
    /// Its turn has not come, or the roll-out is on hold.
    Waiting,
    /// The bundle is being fetched.
    Fetching,
    /// The line checks the bundle and takes it up.
    Installing,
    /// It is in use, and watched.
    Watched,
    /// It is in use.
    Current,
    /// It could not be installed; that is tried again.
    Failed,
    /// The board went back to the bundle before it.
    WentBack,
}

impl Progress {
    /// Returns its lower-case word, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unmanaged => "unmanaged",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Fetching => "fetching",
            Self::Installing => "installing",
            Self::Watched => "watched",
            Self::Current => "current",
            Self::Failed => "failed",
            Self::WentBack => "went_back",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_json() {
        for progress in [
            Progress::Unmanaged,
            Progress::Unknown,
            Progress::Waiting,
            Progress::Fetching,
            Progress::Installing,
            Progress::Watched,
            Progress::Current,
            Progress::Failed,
            Progress::WentBack,
        ] {
            assert_eq!(serde_json::to_value(progress).unwrap(), progress.as_str());
        }
    }
}
