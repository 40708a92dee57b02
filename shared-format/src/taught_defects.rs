//! The limit for likeness to taught defects, and how many of them the bundle was seen to miss.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// Maximum number of kinds of defects that a bundle is taught.
pub const MAX_KINDS: usize = 16;

/// How likeness to taught defects takes part in a frame's score: score = max(image score, scale · likeness + offset), with the
/// likeness from the model's output `defect_score`. One threshold then stands for both limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaughtDefects {
    /// Above 0.
    pub scale: f32,
    /// In units of the image score.
    pub offset: f32,
    /// The share of defects that may be missed, 0..1; `None` if none was requested.
    pub target_fnr: Option<f32>,
    /// The kinds, in the order of the model's output `defect_kinds`.
    pub kinds: Vec<DefectKind, MAX_KINDS>,
}

/// A kind of taught defects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DefectKind {
    /// Its name: that of the folder that its images came from.
    pub name: String<32>,
    /// Number of taught defects.
    pub taught: u32,
    /// How many of them are missed at the thresholds of this file, each judged as if it hadn't been taught.
    pub missed: u32,
}

impl TaughtDefects {
    /// Returns the likeness in units of the image score.
    #[must_use]
    pub fn scaled(&self, likeness: f32) -> f32 {
        self.scale * likeness + self.offset
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.scale.is_finite()
            && self.scale > 0.0
            && self.offset.is_finite()
            && self.target_fnr.is_none_or(|target| target > 0.0 && target < 1.0)
            && !self.kinds.is_empty()
            && self
                .kinds
                .iter()
                .all(|kind| !kind.name.is_empty() && kind.taught > 0 && kind.missed <= kind.taught)
    }
}
