//! A part: its number, what is decided about it, and what becomes of it.

mod votes;

use std::time::Duration;

use shared_format::Verdict;

use crate::clock::Moment;

pub use shared_format::{Disposition, Reason};
pub use votes::{Votes, deciding_score};

/// Counts from 1 in each run of the program.
pub type PartNumber = u64;

/// What the inspector found about a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartVerdict {
    /// The part.
    pub part: PartNumber,
    /// The vote of its frames.
    pub verdict: Verdict,
    /// The score that decides: above the threshold exactly where the part is rejected. With one frame, or where one is
    /// enough to reject, the largest of its frames'; `None` where no frame could be judged.
    pub score: Option<f32>,
    /// What the scores were compared with.
    pub threshold: f32,
    /// Frames that were judged.
    pub frames: u16,
    /// Capture time of the last of them.
    pub captured_at: Option<Moment>,
}

/// A part that has passed the gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Release {
    /// Its number.
    pub part: PartNumber,
    /// Place of its product in the line file.
    pub product: u16,
    /// When it was triggered.
    pub triggered_at: Moment,
    /// When it was released.
    pub released_at: Moment,
    /// How much later than its place on the belt asked for.
    pub lateness: Duration,
    /// What was found about it, where that was there in time.
    pub verdict: Option<PartVerdict>,
    /// Where it went.
    pub disposition: Disposition,
    /// Why.
    pub reason: Reason,
}
