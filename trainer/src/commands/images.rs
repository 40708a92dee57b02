//! The images of good parts that a command starts from.

use std::path::Path;

use anyhow::bail;
use bundle::dataset::{DataError, MIN_NORMALS, Survey, normal_images, survey};
use shared_format::{FrameRange, Roi};

use crate::progress;

/// The usable ones, and their range of sizes; the others are named.
pub(super) fn usable(data: &Path, roi: Option<Roi>) -> anyhow::Result<(Survey, FrameRange)> {
    let paths = normal_images(data)?;
    let bar = progress::bar(paths.len() as u64, "Looking at the images");
    let found = survey(&paths, roi, || bar.inc(1));
    bar.finish_and_clear();
    if progress::stop_requested() {
        bail!("stopped before anything was learned; nothing was written");
    }
    for skipped in &found.skipped {
        eprintln!("skipped {}: {}", skipped.path.display(), skipped.reason);
    }
    if !found.skipped.is_empty() {
        eprintln!("{} of {} images skipped", found.skipped.len(), found.skipped.len() + found.usable.len());
    }
    match found.frames {
        Some(frames) if found.usable.len() >= MIN_NORMALS => Ok((found, frames)),
        _ => Err(DataError::TooFew { folder: data.to_owned(), usable: found.usable.len() }.into()),
    }
}
