//! The highest serial numbers that a line has run, in its state folder: an older bundle may have a fault that was corrected.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bundle::atomic::write_file;
use judge::{ReadError, read_regular_file};
use serde::{Deserialize, Serialize};

/// The file, in the state folder.
const FILE: &str = "accepted.json";
/// The format that this program writes and reads.
const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// Why the serial numbers can't be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerialsError {
    /// The file can't be read.
    #[error("cannot read {}: {source}; check the permissions of the state folder", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The file is damaged.
    #[error(
        "{} is damaged: {reason}; check by hand that the bundles are the newest ones, then delete the file",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be written.
    #[error("cannot write {}: {source}; check free space and permissions of the state folder", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The highest serial numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Serials {
    format: u32,
    /// Of the key list; 0 if there was none.
    pub key_list: u64,
    /// Of each product's bundles, by the product's name.
    pub bundles: BTreeMap<String, u64>,
}

impl Serials {
    /// Reads the file; nothing was run yet if there is none.
    pub fn read(folder: &Path) -> Result<Self, SerialsError> {
        let path = folder.join(FILE);
        let bytes = match read_regular_file(&path, MAX_BYTES) {
            Err(ReadError::Io(e)) if e.kind() == ErrorKind::NotFound => {
                return Ok(Self { format: FORMAT, ..Self::default() });
            }
            Err(source) => return Err(SerialsError::Read { path, source }),
            Ok(bytes) => bytes,
        };
        let damaged = |reason| SerialsError::Damaged { path: path.clone(), reason };
        let serials: Self = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if serials.format != FORMAT {
            return Err(damaged(format!("its format is {}, not {FORMAT}", serials.format)));
        }
        Ok(serials)
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<(), SerialsError> {
        let path = folder.join(FILE);
        let written = serde_json::to_vec_pretty(self).map_err(io::Error::from).and_then(|mut json| {
            json.push(b'\n');
            write_file(&path, &json)
        });
        written.map_err(|source| SerialsError::Write { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_read_back_and_a_damaged_file_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut serials = Serials::read(folder.path()).unwrap();
        assert!(serials.bundles.is_empty());
        serials.key_list = 3;
        serials.bundles.insert("cap".to_owned(), u64::MAX);
        serials.write(folder.path()).unwrap();
        assert_eq!(Serials::read(folder.path()).unwrap(), serials);
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(Serials::read(folder.path()), Err(SerialsError::Damaged { .. })), "{length}");
        }
        std::fs::write(&path, b"{\"format\": 2, \"key_list\": 0, \"bundles\": {}}").unwrap();
        assert!(Serials::read(folder.path()).unwrap_err().to_string().contains("format"));
    }
}
