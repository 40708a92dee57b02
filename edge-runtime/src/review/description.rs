//! Reads a record's description.

use std::path::Path;

use judge::{ReadError, read_regular_file};
use serde::{Deserialize, Serialize};
use shared_format::Verdict;

use crate::record::DESCRIPTION_FILE;
use crate::report::RegionFields;

/// A limit far beyond any description.
const MAX_BYTES: u64 = 1 << 20;

/// What `record.json` says, as far as a review needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The part's product.
    pub product: String,
    /// The view that the frame is of; `None` on a line with one camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// The verdict on the frame.
    pub verdict: Verdict,
    /// The verdict on the part; absent in records of an earlier version, which kept no passed parts.
    #[serde(default)]
    pub part_verdict: Option<Verdict>,
    /// The frame's score; `None` if it was not judged.
    pub score: Option<f32>,
    /// The threshold that it was compared with.
    pub threshold: Option<f32>,
    /// The largest region above the pixel threshold.
    pub region: Option<RegionFields>,
    /// Why there is no score.
    pub fault: Option<String>,
    /// The first digits of the model's SHA-256.
    pub model_sha256: String,
}

/// Why a description can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// It can't be read.
    #[error("cannot read {DESCRIPTION_FILE}: {0}")]
    Read(#[from] ReadError),
    /// It is damaged.
    #[error("{DESCRIPTION_FILE} is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
}

impl Description {
    /// Reads the description of the record in `folder`.
    ///
    /// # Errors
    /// If the file can't be read, or is damaged.
    pub fn read(folder: &Path) -> Result<Self, DescriptionError> {
        Ok(serde_json::from_slice(&read_regular_file(&folder.join(DESCRIPTION_FILE), MAX_BYTES)?)?)
    }

    /// Returns the verdict on the part.
    #[must_use]
    pub fn of_part(&self) -> Verdict {
        self.part_verdict.unwrap_or(self.verdict)
    }
}
