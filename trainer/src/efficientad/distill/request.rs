//! A request for a distillation.

use std::path::Path;

use bundle::atomic::write_file;
use networks::PdnSize;
use networks::teacher::Teacher;

use crate::run::RunError;
use crate::schedule::Schedule;
use crate::torch::Compute;

/// A distillation to run.
#[derive(Debug)]
pub struct Request<'a> {
    /// The backbone.
    pub from: &'a Teacher,
    /// Size of the small network.
    pub size: PdnSize,
    /// Folder of natural photos.
    pub images: &'a Path,
    /// The teacher's file. The state from which an interrupted distillation resumes is beside it, see [`work_folder`](super::work_folder).
    pub out: &'a Path,
    /// Number of steps of 16 photos.
    pub steps: u64,
    /// The learning rate, and how much of each photo a step learns from.
    pub schedule: Schedule,
    /// Seed for the initial weights and the order of the photos.
    pub seed: u64,
    /// Device and number format.
    pub compute: Compute,
}

/// Writes one of the distillation's files in one step.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    write_file(path, bytes).map_err(|source| RunError::Io { path: path.to_owned(), source })
}
