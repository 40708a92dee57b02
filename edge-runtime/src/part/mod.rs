//! A part: its number, its verdict and its disposition.

mod view_votes;
mod votes;

use std::time::Duration;

use shared_format::Verdict;

use crate::clock::Moment;

pub use shared_format::{Disposition, Reason};
pub use view_votes::{ViewCount, ViewScore, ViewVote};
pub use votes::{UnknownZone, VoteCount, Votes};

/// The number of a part, counted from 1 in each run of the program.
pub type PartNumber = u64;

/// What the inspector found about a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartVerdict {
    /// The part.
    pub part: PartNumber,
    /// The verdict that its frames voted for.
    pub verdict: Verdict,
    /// Whether it is a fault because a frame may show another product.
    pub other_product: bool,
    /// The deciding score: above the threshold exactly if the part is rejected. With one frame, or if one is enough to
    /// reject, the largest of its frames' scores; `None` if no frame could be judged.
    pub score: Option<f32>,
    /// The threshold that the scores were compared with.
    pub threshold: f32,
    /// The grey level of the bundle's zone that the score comes from; `None` without zones.
    pub zone: Option<u8>,
    /// Index of the view that decided: whose score this is or, of a fault, which could not be judged. `None` on a line with one camera.
    pub view: Option<u16>,
    /// Number of frames that were judged.
    pub frames: u16,
    /// Capture time of the last of these frames.
    pub captured_at: Option<Moment>,
}

/// A part that has passed the gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Release {
    /// Its number.
    pub part: PartNumber,
    /// Index of its product in the line file.
    pub product: u16,
    /// When it was triggered.
    pub triggered_at: Moment,
    /// When it was released.
    pub released_at: Moment,
    /// How late it was released, relative to when the belt brought it to the gate.
    pub lateness: Duration,
    /// Its verdict, if it came in time.
    pub verdict: Option<PartVerdict>,
    /// Where it went.
    pub disposition: Disposition,
    /// Why it went there.
    pub reason: Reason,
}
