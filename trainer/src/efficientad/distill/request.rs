//! What is to be distilled.

use std::path::Path;

use bundle::atomic::write_file;
use networks::PdnSize;
use networks::teacher::Teacher;

use crate::run::RunError;
use crate::schedule::Schedule;
use crate::torch::Compute;

/// What to distil.
#[derive(Debug)]
pub struct Request<'a> {
    /// The backbone.
    pub from: &'a Teacher,
    /// Size of the small network.
    pub size: PdnSize,
    /// Folder of natural photos.
    pub images: &'a Path,
    /// The teacher's file. What an interrupted distillation goes on from lies beside it, see [`work_folder`](super::work_folder).
    pub out: &'a Path,
    /// Steps of 16 photos.
    pub steps: u64,
    /// How fast to learn, and from how much of each photo.
    pub schedule: Schedule,
    /// Seeds the first weights and the order of the photos.
    pub seed: u64,
    /// Where to compute.
    pub compute: Compute,
}

/// Writes one of its files in one step.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    write_file(path, bytes).map_err(|source| RunError::Io { path: path.to_owned(), source })
}
