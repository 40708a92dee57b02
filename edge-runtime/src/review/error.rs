//! Why a record can't be read or marked.

use std::io;
use std::path::PathBuf;

use super::decision::{Entry, HistoryError};
use super::description::DescriptionError;
use crate::record::RecordName;

/// Why a record can't be read or marked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The text doesn't name a record.
    #[error("{0:?} is not the name of a record; `edge-runtime review list` shows the names")]
    Name(String),
    /// There are no records.
    #[error("cannot read the records in {folder}: {source}; check records.folder and its permissions", folder = folder.display())]
    Folder {
        /// The folder of records.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The record isn't there.
    #[error(
        "there is no record {0}: the oldest are deleted when space or age requires it; `edge-runtime review list` shows \
         those that are left"
    )]
    Absent(RecordName),
    /// The description is missing or damaged.
    #[error("{name}: {source}; this record can't be used")]
    Description {
        /// The record.
        name: RecordName,
        /// The cause.
        source: DescriptionError,
    },
    /// The decisions are damaged.
    #[error("{name}: {source}; decide on it again")]
    History {
        /// The record.
        name: RecordName,
        /// The cause.
        source: HistoryError,
    },
    /// A passed part is no alarm.
    #[error("{0} passed, so it can't be a false alarm; mark it as defect or unsure, or leave it")]
    Passed(RecordName),
    /// Someone has decided something else.
    #[error("{name} is already marked: {before}, {at}; use --replace to decide otherwise", at = before.at)]
    Decided {
        /// The record.
        name: RecordName,
        /// The decision that holds.
        before: Box<Entry>,
    },
    /// The decided records have reached their limit.
    #[error(
        "the decided records take {bytes} bytes, and {name} does not fit into the limit of {limit}; raise \
         records.max_decided_mib, or take decisions back with `edge-runtime review mark undecided`"
    )]
    Full {
        /// The record.
        name: RecordName,
        /// The bytes taken.
        bytes: u64,
        /// The most that may be taken.
        limit: u64,
    },
    /// Someone else is marking records.
    #[error("another program is marking records in {folder}; try again when it has finished", folder = folder.display())]
    Busy {
        /// The folder of decided records.
        folder: PathBuf,
    },
    /// The decision can't be written.
    #[error("cannot write the decision on {name}: {source}; check space and permissions")]
    Write {
        /// The record.
        name: RecordName,
        /// The system's error.
        source: io::Error,
    },
}
