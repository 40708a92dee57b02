//! Records: rejected frames, faults and a sample of the passed frames on disk, bounded by size and age.
//!
//! | file | what it holds |
//! |---|---|
//! | `recorder` | the writer thread, behind a non-blocking queue |
//! | `sample` | which passed parts are kept |
//! | `store` | the folder of records: adds, removes and cleans up |
//! | `record_folder` | a record's folder: its size, and how it is removed |
//! | `age`, `age_file` | the clock that measures the age of records, in memory and on disk |
//! | `files` | a record's files: frame, overlay, description |
//! | `name` | the name of a record's folder |
//! | `error` | errors when keeping records |
//!
//! A record is a folder `YYYYMMDD-HHMMSS-RUN-PART` that appears complete, by rename, once its files are on the disk. The
//! date (UTC, of the capture) is for people: clocks jump, and boards without a battery start in 1970. Records are ordered
//! by run and part alone, which also make the names unique. Ages are measured by a clock that leaves out the jumps of the
//! wall clock, and are only known if the wall clock was set; a record of unknown age is removed when space is needed.
//!
//! Passed parts are kept in the subfolder `passed`, with a limit of their own, so that they never displace a reject. A record
//! that a person has decided on leaves these folders: see [`crate::review`].

mod age;
mod age_file;
mod error;
mod files;
mod name;
mod record_folder;
mod recorder;
mod sample;
mod store;

use std::sync::Arc;

use judge::Judgement;
use serde::{Deserialize, Serialize};
use shared_format::{ThresholdFile, Verdict};

use crate::capture::CapturedFrame;
use crate::clock::Moment;
use crate::part::PartNumber;

pub use error::RecordError;
pub(crate) use files::{
    DECISION as DECISION_FILE, DESCRIPTION as DESCRIPTION_FILE, FRAMES as FRAME_FILES, NAMES as RECORD_FILES,
};
pub use name::RecordName;
pub(crate) use record_folder::bytes_of;
pub use recorder::{RecordSettings, Recorder};
pub use sample::Sampling;
pub use store::{Limits, RecordStore};

/// The folder of the records of passed parts, below that of all records.
pub const PASSED_FOLDER: &str = "passed";
/// The folder of the records that a person has decided on, below that of all records.
pub const DECIDED_FOLDER: &str = "decided";

/// A frame to keep: one that was judged, or one that could not be judged and made its part a fault.
#[derive(Debug)]
pub struct Record {
    /// The frame's part.
    pub part: PartNumber,
    /// The number of the frame within its part, from 1.
    pub frame_of_part: u16,
    /// The part's product.
    pub product: String,
    /// The view that the frame is of; `None` on a line with one camera.
    pub view: Option<String>,
    /// The verdict on the part. With several frames it may differ from the frame's.
    pub part_verdict: Verdict,
    /// The judge's result.
    pub judgement: Judgement,
    /// When the frame was captured.
    pub captured_at: Moment,
    /// The frame as the camera delivered it, which the recorder decodes if nobody has. Its bytes are kept as they are if they are a JPEG or
    /// PNG, or can't be decoded.
    pub captured: Arc<CapturedFrame>,
    /// Why the frame was not judged.
    pub refused: Option<String>,
    /// The thresholds the frame was judged by.
    pub thresholds: Arc<ThresholdFile>,
}

/// Numbers of records by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordCounts {
    /// Written to disk, though the oldest may have been removed since.
    pub written: u64,
    /// Dropped: too many were waiting for the disk.
    pub dropped: u64,
    /// Not written: the disk was full, gone, or could not be written to.
    pub failed: u64,
}
