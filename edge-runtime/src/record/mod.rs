//! Records: rejected frames and faults on disk, bounded by bytes and age.
//!
//! | file | what it holds |
//! |---|---|
//! | `recorder` | the thread that writes, behind a queue that nobody waits for |
//! | `ring` | the folder: what is there, what has to go, what is half-written |
//! | `place` | a record's folder: what it takes, and how it goes |
//! | `age`, `age_file` | the clock that records grow old by, in memory and on disk |
//! | `files` | a record's files: frame, overlay, description |
//! | `name` | the name of a record's folder |
//! | `error` | why a record can't be kept |
//!
//! A record is a folder `YYYYMMDD-HHMMSS-RUN-PART` that appears whole, by rename, once its files are on the disk. The
//! date (UTC, of the capture) is for people: clocks jump, and boards without a battery start in 1970. Which record is
//! older is told by run and part alone, and those make the names unique. Ages count by a clock without the jumps of the
//! wall clock, and are only known where that was set; a record without one goes when bytes are needed.

mod age;
mod age_file;
mod error;
mod files;
mod name;
mod place;
mod recorder;
mod ring;

use std::sync::Arc;

use judge::{Frame, Judgement};
use serde::{Deserialize, Serialize};
use shared_format::ThresholdFile;

use crate::clock::Moment;
use crate::part::PartNumber;

pub use error::RecordError;
pub use name::RecordName;
pub use recorder::{Recorder, Settings};
pub use ring::{Limits, Ring};

/// A frame that is to be kept: one that was judged, or of a part that is a fault because it could not be.
#[derive(Debug)]
pub struct Record {
    /// Its part.
    pub part: PartNumber,
    /// Which of the part's frames, from 1.
    pub frame_of_part: u16,
    /// Its product.
    pub product: String,
    /// What was found.
    pub judgement: Judgement,
    /// When it was captured.
    pub captured_at: Moment,
    /// The frame; `None` where the bytes are none.
    pub frame: Option<Frame>,
    /// The camera's own bytes, of any format; kept where they are a JPEG or PNG.
    pub bytes: Option<Vec<u8>>,
    /// Why it was not judged.
    pub refused: Option<String>,
    /// What it was judged by.
    pub thresholds: Arc<ThresholdFile>,
}

/// Records by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordCounts {
    /// On disk, though the oldest may have gone since.
    pub written: u64,
    /// Not taken: too many were waiting for the disk.
    pub dropped: u64,
    /// Not written: the disk was full, gone, or could not be written to.
    pub failed: u64,
}
