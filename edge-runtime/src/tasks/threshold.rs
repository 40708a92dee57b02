//! Moved thresholds: how far, and where they are kept.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use judge::read_regular_file;
use serde::{Deserialize, Serialize};
use shared_format::ThresholdFile;

use crate::clock::WallTime;
use crate::line_file::ThresholdConfig;

/// The file, in `health.state`.
const FILE: &str = "thresholds.json";
/// The version of the file that this program writes and reads.
const VERSION: u32 = 1;
/// A limit far beyond any number of products.
const MAX_BYTES: u64 = 1 << 20;

/// The limits within which a product's threshold may be moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The lowest threshold.
    pub lowest: f32,
    /// The highest threshold.
    pub highest: f32,
}

impl Bounds {
    /// Returns the limits for a bundle: the line file gives them in units of the distance from the median of the good parts to the
    /// bundle's threshold. A threshold at or below the median can't be moved.
    #[must_use]
    pub fn of(bundle: &ThresholdFile, config: ThresholdConfig) -> Self {
        let (own, median) = (bundle.image_threshold, bundle.evidence.scores.q50);
        let reach = f64::from(own) - f64::from(median);
        if !(reach.is_finite() && reach > 0.0) {
            return Self { lowest: own, highest: own };
        }
        // Rounding must not shut the bundle's own threshold out.
        let at = |share: f64| (f64::from(median) + share * reach) as f32;
        Self { lowest: at(config.lowest).min(own), highest: at(config.highest).max(own) }
    }

    /// Whether a threshold is within the limits.
    #[must_use]
    pub fn include(&self, value: f32) -> bool {
        (self.lowest..=self.highest).contains(&value)
    }
}

/// A product's moved threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The product's name.
    pub product: String,
    /// SHA-256 of the threshold file of the bundle whose threshold it replaces, in hexadecimal: another bundle has its own.
    pub bundle: String,
    /// The threshold.
    pub value: f32,
    /// Who moved it.
    pub by: String,
    /// When.
    pub at: WallTime,
}

/// Why moved thresholds can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// The file can't be read.
    #[error("cannot read the moved thresholds in {path}: {reason}; remove the file to judge with the bundles' own", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file can't be written.
    #[error("cannot write the moved thresholds to {path}: {source}; check space and permissions", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    thresholds: Vec<Moved>,
}

/// The moved thresholds of a line, on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedThresholds {
    path: PathBuf,
    moved: Vec<Moved>,
}

impl MovedThresholds {
    /// Reads them; none if there is no file.
    ///
    /// # Errors
    /// [`ThresholdError::Read`]
    pub fn read(state: &Path) -> Result<Self, ThresholdError> {
        let path = state.join(FILE);
        let failed = |reason: String| ThresholdError::Read { path: path.clone(), reason };
        let moved = match read_regular_file(&path, MAX_BYTES) {
            Err(judge::ReadError::Io(e)) if e.kind() == ErrorKind::NotFound => vec![],
            Err(e) => return Err(failed(e.to_string())),
            Ok(bytes) => {
                let contents: Contents = serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))?;
                if contents.version != VERSION {
                    return Err(failed(format!("its version is {}, not {VERSION}", contents.version)));
                }
                contents.thresholds
            }
        };
        Ok(Self { path, moved })
    }

    /// Returns the moved threshold of a product, if it replaces that of this bundle and is within the limits.
    #[must_use]
    pub fn of(&self, product: &str, bundle: &str, bounds: Bounds) -> Option<&Moved> {
        let moved = self.moved.iter().find(|moved| moved.product == product)?;
        (moved.bundle == bundle && bounds.include(moved.value)).then_some(moved)
    }

    /// Replaces the moved threshold of a product, or forgets it, on the disk first.
    ///
    /// # Errors
    /// [`ThresholdError::Write`]; nothing is changed then.
    pub fn set(&mut self, product: &str, moved: Option<Moved>) -> Result<(), ThresholdError> {
        let mut next: Vec<Moved> =
            self.moved.iter().filter(|moved| moved.product != product).cloned().collect();
        next.extend(moved);
        let contents = Contents { version: VERSION, thresholds: next };
        let written = serde_json::to_vec_pretty(&contents)
            .map_err(std::io::Error::from)
            .and_then(|json| write_file(&self.path, &json));
        written.map_err(|source| ThresholdError::Write { path: self.path.clone(), source })?;
        self.moved = contents.thresholds;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_shares_of_the_way_from_the_median_to_the_threshold() {
        let mut file = crate::testing::thresholds();
        (file.image_threshold, file.evidence.scores.q50) = (-1.0, -3.0);
        let bounds = Bounds::of(&file, ThresholdConfig { lowest: 0.5, highest: 1.5 });
        assert_eq!(bounds, Bounds { lowest: -2.0, highest: 0.0 });
        assert!(bounds.include(-1.0) && bounds.include(0.0) && !bounds.include(0.001));
        assert!(!bounds.include(f32::NAN) && !bounds.include(f32::NEG_INFINITY));
        // Whatever the numbers, the bundle's own threshold is allowed.
        for (own, median) in [(0.1, 0.3), (f32::MAX, f32::MIN), (1.0, f32::NAN), (1e-30, 0.0)] {
            (file.image_threshold, file.evidence.scores.q50) = (own, median);
            assert!(Bounds::of(&file, ThresholdConfig::default()).include(own), "{own} {median}");
        }
        file.image_threshold = 0.3;
        file.evidence.scores.q50 = 0.3;
        assert_eq!(Bounds::of(&file, ThresholdConfig::default()), Bounds { lowest: 0.3, highest: 0.3 });
    }

    #[test]
    fn a_moved_threshold_is_kept_for_its_bundle_alone_and_damage_is_named() {
        let state = tempfile::tempdir().unwrap();
        let bounds = Bounds { lowest: 1.0, highest: 2.0 };
        let mut thresholds = MovedThresholds::read(state.path()).unwrap();
        let moved = |product: &str, value| Moved {
            product: product.to_owned(),
            bundle: "ab".to_owned(),
            value,
            by: "anna".to_owned(),
            at: WallTime::read("2026-12-01").unwrap(),
        };
        thresholds.set("cap", Some(moved("cap", 1.5))).unwrap();
        thresholds.set("lid", Some(moved("lid", 3.0))).unwrap();
        let read = MovedThresholds::read(state.path()).unwrap();
        assert_eq!(read, thresholds);
        assert_eq!(read.of("cap", "ab", bounds).unwrap().value, 1.5);
        assert_eq!(read.of("cap", "cd", bounds), None, "another bundle");
        assert_eq!(read.of("lid", "ab", bounds), None, "the line file allows less by now");
        thresholds.set("cap", None).unwrap();
        assert_eq!(MovedThresholds::read(state.path()).unwrap().of("cap", "ab", bounds), None);

        let path = state.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            let refused = MovedThresholds::read(state.path()).unwrap_err().to_string();
            assert!(refused.contains("remove the file"), "{refused}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(thresholds.set("lid", None), Err(ThresholdError::Write { .. })));
        assert_eq!(thresholds.of("lid", "ab", Bounds { lowest: 1.0, highest: 3.0 }).unwrap().value, 3.0);
    }
}
