//! Errors of calibration: parts that can't be used, and failures as a whole.

use std::path::PathBuf;

use judge::{DecodeError, Fault};

use crate::capture::FrameWaitError;
use crate::trigger::source::TriggerError;

/// Reason why a part can't be used for calibration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The camera delivered no frame of the part.
    #[error(transparent)]
    NoFrame(#[from] FrameWaitError),
    /// A frame from the camera can't be decoded; holds the decoder's message.
    #[error("{0}")]
    Undecodable(String),
    /// A file is not a valid image.
    #[error("{file}: {source}")]
    File {
        /// Name of the file.
        file: String,
        /// The cause.
        source: DecodeError,
    },
    /// A file repeats an earlier one, so it adds no evidence.
    #[error("{file}: the same picture as {original}", original = original.display())]
    Copy {
        /// Name of the file.
        file: String,
        /// The first file with this picture.
        original: PathBuf,
    },
    /// The part has too few or too many frames.
    #[error("it has {found} frame(s); votes.frames = {needed} requires that many per part")]
    Frames {
        /// Number of frames of the part.
        found: usize,
        /// Number of frames that vote.
        needed: u16,
    },
    /// A frame can't be judged.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A frame has no score.
    #[error("it got no score; examine it with `edge-runtime inspect`")]
    NoScore,
    /// The votes have no deciding score.
    #[error("its frames don't match the voting rule; check [votes] in the line file")]
    Votes,
}

/// Reason why no thresholds can be determined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// The source can't supply another part.
    #[error(transparent)]
    Source(#[from] TriggerError),
    /// None of the parts can be used.
    #[error("no part can be used; provide good parts as the line's camera shows them")]
    NoParts,
}
