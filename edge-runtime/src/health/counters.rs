//! What the line has seen and done, over all its runs.

use serde::{Deserialize, Serialize};

use crate::gate::Counts;
use crate::record::RecordCounts;

/// All counters of a line. A count that an older program did not keep reads as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Number of the run, from 1: starts of the program.
    pub run: u64,
    /// Parts.
    pub gate: Counts,
    /// Frames.
    pub camera: CameraCounts,
    /// Verdicts that an output did not take in time.
    pub outputs_dropped: u64,
    /// Records on disk.
    pub records: RecordCounts,
}

/// What the camera gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraCounts {
    /// Frames that arrived.
    pub captured: u64,
    /// Frames that arrived and that nobody looked at.
    pub dropped: u64,
    /// Frames that the driver dropped, by the gaps in their numbers.
    pub lost: u64,
    /// Frames that were too old for their part.
    pub stale: u64,
    /// Times that the camera was opened again.
    pub reopened: u64,
    /// Times that the picture froze.
    pub frozen: u64,
    /// Times that it went black.
    pub black: u64,
    /// Times that it burnt out.
    pub burnt: u64,
}
