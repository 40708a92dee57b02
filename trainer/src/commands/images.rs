//! The images of good parts that a command starts from.

use std::path::{Path, PathBuf};

use anyhow::bail;
use bundle::dataset::{DataError, MIN_NORMALS, Normals, Survey, normal_images, survey};
use bundle::ignore_mask;
use shared_format::{FrameRange, Recipe, Roi};

use crate::progress;

/// Images that look like others that are named; of more, the number is told.
const ALIKE: usize = 3;

/// What there is to start from.
pub(super) struct Usable {
    /// The images.
    pub(super) found: Survey,
    /// Their range of sizes.
    pub(super) frames: FrameRange,
    /// What else lies there and isn't used, a clause for each reason.
    pub(super) unused: Vec<String>,
}

/// The usable ones; the others are named.
pub(super) fn usable(data: &Path, roi: Option<Roi>) -> anyhow::Result<Usable> {
    let Normals { images: paths, unused, .. } = normal_images(data)?;
    unused.line(data).iter().for_each(|line| eprintln!("{line}"));
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
    warn_of_likeness(&found.alike);
    match found.frames {
        Some(frames) if found.usable.len() >= MIN_NORMALS => {
            Ok(Usable { found, frames, unused: unused.clauses(data) })
        }
        _ => Err(DataError::TooFew { folder: data.to_owned(), usable: found.usable.len() }.into()),
    }
}

/// One photo that is there twice is no further evidence: it may teach in one set and calibrate in another.
fn warn_of_likeness(alike: &[(PathBuf, PathBuf)]) {
    for (copy, first) in alike.iter().take(ALIKE) {
        eprintln!("warning: {} looks like {}", copy.display(), first.display());
    }
    if !alike.is_empty() {
        eprintln!(
            "warning: {} image(s) look like another: if they show the same part from the same photo or moment, keep one of \
             each, or what the threshold claims is untrue",
            alike.len()
        );
    }
}

/// Leaves out of the recipe what a picture says.
pub(super) fn ignore(recipe: &mut Recipe, mask: Option<&Path>) -> anyhow::Result<()> {
    recipe.ignore = mask.map(|mask| ignore_mask(mask, recipe)).transpose()?;
    if let Some(mask) = recipe.ignore {
        eprintln!("ignored: {:.0} % of what is in view", 100.0 * mask.share());
    }
    Ok(())
}
