//! What survives a restart of the gateway.

use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trial::Trial;
use crate::regular_file;

/// The file, in the follower's folder.
const FILE: &str = "fleet.json";
/// A limit far beyond any state.
const MAX_BYTES: u64 = 1 << 20;
/// The number of bundles that the board went back from and that are remembered; the oldest are forgotten.
const MAX_REFUSED: usize = 64;

/// What survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The highest serial number of an index that was accepted.
    pub index: u64,
    /// Bundles that are watched.
    pub trials: Vec<Trial>,
    /// Bundles that the board went back from, the oldest first.
    pub refused: Vec<Refused>,
}

/// A bundle that the board went back from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The product's name.
    pub product: String,
    /// The SHA-256 of the bundle's threshold file, in hexadecimal.
    pub identity: String,
    /// Why.
    pub reason: String,
}

impl Kept {
    /// Reads the file; nothing was kept yet if there is none. What can't be read is moved aside: a follower that knows nothing is better
    /// than none, and the line has its own protection from old bundles.
    ///
    /// # Errors
    /// The system's error if the folder can't be used.
    pub fn read(folder: &Path) -> io::Result<Self> {
        std::fs::read_dir(folder)?;
        let path = folder.join(FILE);
        let bytes = match regular_file::read(&path, MAX_BYTES) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            bytes => bytes?,
        };
        serde_json::from_slice(&bytes).or_else(|e| {
            let aside = folder.join("fleet.damaged.json");
            tracing::warn!("{} is damaged ({e}); it is kept as {}", path.display(), aside.display());
            std::fs::rename(&path, &aside)?;
            Ok(Self::default())
        })
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The system's error.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        regular_file::replace(&folder.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// Returns why the board went back from a bundle, if it did.
    #[must_use]
    pub fn refusal(&self, product: &str, identity: &str) -> Option<&str> {
        let found = self.refused.iter().find(|it| it.product == product && it.identity == identity);
        found.map(|refused| refused.reason.as_str())
    }

    /// Returns the trial of a product's bundle.
    #[must_use]
    pub fn trial(&self, product: &str, identity: &str) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.product == product && trial.identity == identity)
    }

    /// Forgets that the board went back from a bundle, if it did for this reason.
    pub fn forgive(&mut self, product: &str, identity: &str, reason: &str) {
        self.refused.retain(|it| {
            (it.product.as_str(), it.identity.as_str(), it.reason.as_str()) != (product, identity, reason)
        });
    }

    /// Remembers that the board went back from a bundle.
    pub fn refuse(&mut self, product: &str, identity: &str, reason: &str) {
        self.trials.retain(|trial| trial.product != product);
        self.refused.retain(|it| (it.product.as_str(), it.identity.as_str()) != (product, identity));
        let [product, identity, reason] = [product, identity, reason].map(str::to_owned);
        self.refused.push(Refused { product, identity, reason });
        let surplus = self.refused.len().saturating_sub(MAX_REFUSED);
        self.refused.drain(..surplus);
    }

    /// Puts a bundle on trial, in the place of the product's last one.
    pub fn try_out(&mut self, trial: Trial) {
        self.trials.retain(|other| other.product != trial.product);
        self.trials.push(trial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_a_damaged_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::read(folder.path()).unwrap();
        assert_eq!(kept, Kept::default());
        kept.index = 9;
        kept.try_out(Trial::new("cap", 1, "aa"));
        kept.try_out(Trial::new("cap", 2, "bb"));
        kept.refuse("lid", "cc", "it was withdrawn");
        kept.write(folder.path()).unwrap();
        assert_eq!(Kept::read(folder.path()).unwrap(), kept);
        assert_eq!((kept.trials.len(), kept.refusal("lid", "cc")), (1, Some("it was withdrawn")));
        kept.forgive("lid", "cc", "another reason");
        assert!(kept.refusal("lid", "cc").is_some());
        kept.refuse("cap", "bb", "why");
        kept.forgive("cap", "bb", "why");
        assert!(kept.refusal("cap", "bb").is_none());
        assert!(kept.trials.is_empty() && kept.refusal("cap", "aa").is_none());
        (0..100).for_each(|n| kept.refuse("lid", &n.to_string(), "why"));
        assert_eq!((kept.refused.len(), kept.refusal("lid", "cc")), (MAX_REFUSED, None));
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(Kept::read(folder.path()).unwrap(), Kept::default(), "{length}");
            assert!(!path.exists());
        }
        assert!(Kept::read(Path::new("/nowhere")).is_err());
    }
}
