//! Why a record can't be kept.

use std::io;
use std::path::PathBuf;

use super::RecordName;

/// Why a record can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot keep records in {folder}: {source}; check space and permissions", folder = folder.display())]
    Io {
        /// The folder of records.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another folder lies in its place by now, or none.
    #[error("the folder {folder} is gone; mount or make it again", folder = folder.display())]
    Gone {
        /// The folder of records.
        folder: PathBuf,
    },
    /// Another process keeps records there.
    #[error("another program keeps records in {folder}; give each line its own records.folder", folder = folder.display())]
    InUse {
        /// The folder of records.
        folder: PathBuf,
    },
    /// One record would take more than all may.
    #[error("a record of {bytes} bytes is larger than all may be together; raise records.max_mib")]
    TooLarge {
        /// What it would take.
        bytes: u64,
    },
    /// There is one of this name.
    #[error("the record {0} is there already; give each part of a run its own number")]
    Exists(RecordName),
    /// The frame or its overlay can't be encoded.
    #[error(transparent)]
    Encode(#[from] judge::EncodeError),
}
