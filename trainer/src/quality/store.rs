//! A JSON file of rows that were already measured.

use std::path::{Path, PathBuf};

use bundle::atomic::write_file;

use super::row::QualityRow;

/// The rows of a file, in the order in which they were measured.
#[derive(Debug)]
pub struct Store {
    path: Option<PathBuf>,
    rows: Vec<QualityRow>,
}

/// Why rows can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be read.
    #[error("{path}: {source}; check the path and its permissions", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file holds no rows.
    #[error("{path} holds no rows of this command ({source}); give another --json", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// The file can't be written.
    #[error("{path}: {source}; check free space and permissions", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl Store {
    /// Opens the file; without a path nothing is kept.
    ///
    /// # Errors
    /// [`StoreError`] if the file exists but can't be used.
    pub fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let mut rows = Vec::new();
        if let Some(path) = path {
            match std::fs::read(path) {
                Ok(json) => {
                    rows = serde_json::from_slice(&json)
                        .map_err(|source| StoreError::Damaged { path: path.to_owned(), source })?;
                }
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
            }
        }
        Ok(Self { path: path.map(Path::to_owned), rows })
    }

    /// Returns the row of this job if it was already measured. Failed jobs are tried again.
    #[must_use]
    pub fn known(&self, key: &str) -> Option<&QualityRow> {
        self.rows.iter().find(|row| row.key == key && row.measured.is_some())
    }

    /// Stores a row, replacing an older one of the same job, and writes the file at once, so that hours of work don't depend on the
    /// last row.
    ///
    /// # Errors
    /// [`StoreError`] if the file can't be written; it is then unchanged.
    pub fn keep(&mut self, row: QualityRow) -> Result<(), StoreError> {
        self.rows.retain(|known| known.key != row.key);
        self.rows.push(row);
        let Some(path) = &self.path else { return Ok(()) };
        let mut json = serde_json::to_vec(&self.rows)
            .map_err(|source| StoreError::Damaged { path: path.clone(), source })?;
        json.push(b'\n');
        write_file(path, &json).map_err(|source| StoreError::Write { path: path.clone(), source })
    }
}
