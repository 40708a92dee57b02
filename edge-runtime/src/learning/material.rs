//! What is learned from: the photos of good parts, and the false alarms.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bundle::Suspect;
use bundle::dataset::survey;
use shared_format::{FrameRange, Recipe, Size};

use super::decisions::DecidedRecord;
use super::error::LearnError;
use crate::files::parts::PartListing;

/// Good parts to learn from.
#[derive(Debug)]
pub struct Material {
    /// The frames of each part: first the photos' parts, then the false alarms, which have one frame each.
    pub parts: Vec<Vec<PathBuf>>,
    /// The false alarms among them.
    pub false_alarms: Vec<DecidedRecord>,
    /// The recipe of the bundle in use; it also admits the sizes of these frames.
    pub recipe: Recipe,
    /// One sentence for each part that isn't used.
    pub skipped: Vec<String>,
}

impl Material {
    /// Gathers the parts in the folder `photos`, of `frames` frames each, and the false alarms. Copies of a frame count once.
    ///
    /// # Errors
    /// [`LearnError::Photos`]
    pub fn gather(
        photos: &Path,
        frames: u16,
        false_alarms: &[DecidedRecord],
        mut recipe: Recipe,
    ) -> Result<Self, LearnError> {
        let listed = PartListing::list(photos)
            .map_err(|source| LearnError::Photos { folder: photos.to_owned(), source })?;
        let mut skipped: Vec<String> = listed.unused.line(photos).into_iter().collect();
        let of_photos = listed.parts.iter().flat_map(|part| &part.frames).cloned();
        let all: Vec<PathBuf> =
            of_photos.chain(false_alarms.iter().map(|record| record.frame.clone())).collect();
        let found = survey(&all, recipe.roi, || {});
        skipped.extend(found.skipped.iter().map(|file| format!("{}: {}", file.path.display(), file.reason)));
        let unusable: HashSet<&PathBuf> = found.skipped.iter().map(|file| &file.path).collect();
        let mut parts = vec![];
        for part in listed.parts {
            let count = part.frames.len();
            if part.frames.iter().any(|frame| unusable.contains(frame)) {
                continue;
            }
            if count == usize::from(frames) {
                parts.push(part.frames);
            } else {
                let name = &part.name;
                skipped.push(format!("{name}: {count} frame(s); votes.frames = {frames} needs that many"));
            }
        }
        let is_usable = |record: &&DecidedRecord| !unusable.contains(&record.frame);
        let false_alarms: Vec<DecidedRecord> = false_alarms.iter().filter(is_usable).cloned().collect();
        parts.extend(false_alarms.iter().map(|record| vec![record.frame.clone()]));
        if let Some(range) = found.frames {
            recipe.frames = union(recipe.frames, range);
        }
        Ok(Self { parts, false_alarms, recipe, skipped })
    }

    /// Leaves out the photos that the bundle in use was not taught with, because they may show bad parts. They are recognised by the
    /// last two components of their paths, since the folder may have moved.
    pub fn leave_out(&mut self, suspects: &[Suspect]) {
        let tail = |path: &Path| {
            let mut components = path.components().rev().map(|part| part.as_os_str().to_owned());
            (components.next(), components.next())
        };
        let tails: HashSet<_> = suspects.iter().map(|suspect| tail(Path::new(&suspect.name))).collect();
        let photos = self.photos();
        let (mut index, mut skipped) = (0, vec![]);
        self.parts.retain(|frames| {
            index += 1;
            let suspect = frames.first().filter(|frame| index <= photos && tails.contains(&tail(frame)));
            skipped.extend(
                suspect
                    .map(|frame| format!("{}: left out of the bundle in use as a suspect", frame.display())),
            );
            suspect.is_none()
        });
        self.skipped.extend(skipped);
    }

    /// Returns a part's name for people, given the path of its first frame: the name of the record, if it is one.
    #[must_use]
    pub fn name_of(&self, path: &str) -> String {
        let record = self.false_alarms.iter().find(|record| record.frame.display().to_string() == path);
        record.map_or_else(|| path.to_owned(), |record| record.name.to_string())
    }

    /// Returns the number of parts from photos.
    #[must_use]
    pub fn photos(&self) -> usize {
        self.parts.len() - self.false_alarms.len()
    }
}

fn union(a: FrameRange, b: FrameRange) -> FrameRange {
    let min = Size { width: a.min.width.min(b.min.width), height: a.min.height.min(b.min.height) };
    let max = Size { width: a.max.width.max(b.max.width), height: a.max.height.max(b.max.height) };
    FrameRange { min, max }
}
