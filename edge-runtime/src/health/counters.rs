//! The counters of a line over all its runs.

use serde::{Deserialize, Serialize};

use crate::gate::GateCounts;
use crate::record::RecordCounts;

/// All counters of a line. A counter that an older version did not keep reads as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Number of the run, counted from 1: how often the program was started.
    pub run: u64,
    /// Parts.
    pub gate: GateCounts,
    /// Frames.
    pub camera: CameraCounts,
    /// Verdicts that an output did not take in time.
    pub outputs_dropped: u64,
    /// Records on disk.
    pub records: RecordCounts,
}

/// The counters of all cameras together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraCounts {
    /// Frames that arrived.
    pub captured: u64,
    /// Frames that arrived but were not looked at.
    pub dropped: u64,
    /// Frames that the driver dropped, according to gaps in their numbers.
    pub lost: u64,
    /// Frames that were too old for their part.
    pub stale: u64,
    /// How often the camera was reopened.
    pub reopened: u64,
    /// How often the image froze.
    pub frozen: u64,
    /// How often the image went black.
    pub black: u64,
    /// How often the image burnt out.
    pub burnt: u64,
}

impl CameraCounts {
    /// Adds those of another camera.
    pub(crate) const fn add(&mut self, other: &Self) {
        let Self { captured, dropped, lost, stale, reopened, frozen, black, burnt } = *other;
        self.captured += captured;
        self.dropped += dropped;
        self.lost += lost;
        self.stale += stale;
        self.reopened += reopened;
        self.frozen += frozen;
        self.black += black;
        self.burnt += burnt;
    }
}
