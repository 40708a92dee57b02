//! Errors when keeping records.

use std::io;
use std::path::PathBuf;

use super::RecordName;

/// An error when keeping a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system returned an error.
    #[error("cannot keep records in {folder}: {source}; check space and permissions", folder = folder.display())]
    Io {
        /// The folder of records.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder is missing, or has been replaced by another one.
    #[error("the folder {folder} is gone; mount it again or recreate it", folder = folder.display())]
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
    /// A single record exceeds the limit for all records.
    #[error("a record of {bytes} bytes exceeds the limit for all records; raise records.max_mib")]
    TooLarge {
        /// The record's size on disk.
        bytes: u64,
    },
    /// A record of this name exists.
    #[error("the record {0} already exists; give each part of a run its own number")]
    Exists(RecordName),
    /// The frame or its overlay can't be encoded.
    #[error(transparent)]
    Encode(#[from] judge::EncodeError),
}
