//! Finds the images of good parts that a command starts from.

use std::path::{Path, PathBuf};

use anyhow::bail;
use bundle::dataset::{DataError, MIN_NORMALS, Normals, Survey, normal_images, survey};
use bundle::{Align, alignment, reference_patch};
use shared_format::{FrameRange, Recipe, Roi};

use crate::progress;

/// Maximum number of similar images that are listed by name; beyond that only the total is reported.
const MAX_LISTED: usize = 3;

/// The images that a command starts from.
pub(super) struct Usable {
    /// The images, usable and skipped.
    pub(super) found: Survey,
    /// The range of their sizes.
    pub(super) frames: FrameRange,
    /// Other files in the folder that aren't used, a clause for each reason.
    pub(super) unused: Vec<String>,
}

/// Finds the usable images and reports the others.
pub(super) fn usable(data: &Path, roi: Option<Roi>) -> anyhow::Result<Usable> {
    let Normals { images: paths, unused, .. } = normal_images(data)?;
    unused.line(data).iter().for_each(|line| eprintln!("{line}"));
    let bar = progress::bar(paths.len() as u64, "Reading the images");
    let found = survey(&paths, roi, || bar.inc(1));
    bar.finish_and_clear();
    if progress::stop_requested() {
        bail!("stopped before learning began; nothing was written");
    }
    for skipped in &found.skipped {
        eprintln!("skipped {}: {}", skipped.path.display(), skipped.reason);
    }
    if !found.skipped.is_empty() {
        eprintln!("{} of {} images skipped", found.skipped.len(), found.skipped.len() + found.usable.len());
    }
    warn_of_duplicates(&found.duplicates);
    match found.frames {
        Some(frames) if found.usable.len() >= MIN_NORMALS => {
            Ok(Usable { found, frames, unused: unused.clauses(data) })
        }
        _ => Err(DataError::TooFew { folder: data.to_owned(), usable: found.usable.len() }.into()),
    }
}

/// Warns of images that look alike: a duplicate adds no evidence, and may be learned from in one set and calibrate in another.
fn warn_of_duplicates(duplicates: &[(PathBuf, PathBuf)]) {
    for (copy, first) in duplicates.iter().take(MAX_LISTED) {
        eprintln!("warning: {} looks like {}", copy.display(), first.display());
    }
    if !duplicates.is_empty() {
        eprintln!(
            "warning: {} image(s) look like another: if they show the same part from the same photo or moment, keep one of \
             each, or the threshold's claim does not hold",
            duplicates.len()
        );
    }
}

/// Adds the reference patch to the recipe, with the light of the photos at `normals`.
pub(super) fn correct_light(
    recipe: &mut Recipe,
    area: Option<Roi>,
    normals: &[PathBuf],
) -> anyhow::Result<()> {
    if let Some(area) = area {
        let found = reference_patch(area, recipe.colour, normals)?;
        eprintln!("reference patch: {found}");
        recipe.reference_patch = Some(found.patch);
    }
    Ok(())
}

/// Decides whether parts are aligned, and adds that to the recipe.
pub(super) fn align(recipe: &mut Recipe, align: Align, normals: &[PathBuf]) -> anyhow::Result<()> {
    recipe.alignment = None;
    let bar = progress::bar(normals.len() as u64, "Measuring alignment");
    let aligned = alignment(align, normals, *recipe, || bar.inc(1))?;
    bar.finish_and_clear();
    eprintln!("alignment: {}", aligned.description);
    recipe.alignment = aligned.alignment;
    Ok(())
}
