//! Why a part can't be calibrated with, or all of them can't.

use std::path::PathBuf;

use judge::{DecodeError, Fault};

use crate::capture::NoFrame;
use crate::trigger::waiting::TriggerError;

/// Why a part can't be calibrated with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The camera gave no frame of it.
    #[error(transparent)]
    NoFrame(#[from] NoFrame),
    /// A frame of the camera can't be decoded: the decoder's sentence.
    #[error("{0}")]
    Undecodable(String),
    /// A file is no image.
    #[error("{file}: {source}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        source: DecodeError,
    },
    /// A file was there before, and is no further evidence.
    #[error("{file}: the same picture as {original}", original = original.display())]
    Copy {
        /// Its name.
        file: String,
        /// The first of them.
        original: PathBuf,
    },
    /// It has too few frames, or too many.
    #[error("it has {found} frame(s); votes.frames = {needed} needs as many of each part")]
    Frames {
        /// Frames that it has.
        found: usize,
        /// Frames that vote.
        needed: u16,
    },
    /// A frame can't be judged.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A frame has no score.
    #[error("it got no score; judge it with `edge-runtime inspect`")]
    NoScore,
    /// The votes have no deciding score.
    #[error("its frames don't fit the rule of votes")]
    Votes,
}

/// Why there are no thresholds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// No further part can be had.
    #[error(transparent)]
    Source(#[from] TriggerError),
    /// Not one part can be used.
    #[error("no part can be used; give good parts as the line's camera shows them")]
    NoParts,
}
