//! Examines every image once: which can be used, how large they are, and whether any has colour.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use judge::{DecodeError, Frame, decode_file};
use shared_format::{Colour, FrameRange, Roi, Size};

use super::duplicates::LookAlikes;

/// Minimum side of a usable image, in pixels.
const MIN_SIDE: u32 = 16;
/// Maximum ratio of the sides of a usable image.
const MAX_ASPECT: u32 = 20;

/// An image that isn't used, and why.
#[derive(Debug)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: SkipReason,
}

/// Why an image isn't used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// Its name isn't UTF-8, so it can't be recorded.
    #[error("its name is not UTF-8; rename it")]
    Name,
    /// It doesn't decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is too small to show a part.
    #[error("{0}×{1} pixels; the shorter side must have at least {MIN_SIDE}")]
    Small(u32, u32),
    /// It is too elongated to show a part.
    #[error("{0}×{1} pixels; one side may be at most {MAX_ASPECT} times the other")]
    Long(u32, u32),
    /// It doesn't contain the whole region of interest.
    #[error("{width}×{height} pixels; the region of interest {},{},{},{} extends beyond it", .roi.x, .roi.y, .roi.width, .roi.height)]
    Outside {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The region.
        roi: Roi,
    },
    /// It is a copy of another image; in another set, it would invalidate the calibration's claim.
    #[error("the same picture as {}", .0.display())]
    Copy(PathBuf),
}

/// The result of examining every image.
#[derive(Debug)]
pub struct Survey {
    /// Images that decode, have a usable size and aren't a copy of an earlier one.
    pub usable: Vec<PathBuf>,
    /// The others.
    pub skipped: Vec<Skipped>,
    /// Usable images that look like another one, each with the first that it looks like. They may be one photo saved twice,
    /// which would then count as double the evidence.
    pub duplicates: Vec<(PathBuf, PathBuf)>,
    /// Sizes of the usable images; `None` if there are none.
    pub frames: Option<FrameRange>,
    /// [`Colour::Grey`] if every usable image is grey.
    pub colour: Colour,
}

/// Decodes every image of `paths`. An image that doesn't contain `roi` is skipped like an unreadable one. `progress` is
/// called after each image.
pub fn survey(paths: &[PathBuf], roi: Option<Roi>, mut progress: impl FnMut()) -> Survey {
    let mut found =
        Survey { usable: vec![], skipped: vec![], duplicates: vec![], frames: None, colour: Colour::Grey };
    let mut look_alikes = LookAlikes::default();
    let mut seen: HashMap<[u8; 32], PathBuf> = HashMap::new();
    for path in paths {
        match look(path, roi, &mut seen) {
            Ok(frame) => {
                found.frames = Some(widen(found.frames, frame.size()));
                if !frame.is_grey() {
                    found.colour = Colour::Rgb;
                }
                look_alikes.add(&frame);
                found.usable.push(path.clone());
            }
            Err(reason) => found.skipped.push(Skipped { path: path.clone(), reason }),
        }
        progress();
    }
    let name = |index: usize| found.usable[index].clone();
    found.duplicates =
        look_alikes.find().into_iter().map(|(copy, first)| (name(copy), name(first))).collect();
    found
}

fn look(path: &Path, roi: Option<Roi>, seen: &mut HashMap<[u8; 32], PathBuf>) -> Result<Frame, SkipReason> {
    if path.to_str().is_none() {
        return Err(SkipReason::Name);
    }
    let frame = decode_file(path)?;
    let Size { width, height } = frame.size();
    if width.min(height) < MIN_SIDE {
        return Err(SkipReason::Small(width, height));
    }
    if width.max(height) > width.min(height).saturating_mul(MAX_ASPECT) {
        return Err(SkipReason::Long(width, height));
    }
    if let Some(roi) = roi
        && (roi.x.saturating_add(roi.width) > width || roi.y.saturating_add(roi.height) > height)
    {
        return Err(SkipReason::Outside { width, height, roi });
    }
    match seen.entry(frame.sha256()) {
        Entry::Occupied(first) => Err(SkipReason::Copy(first.get().clone())),
        Entry::Vacant(place) => {
            place.insert(path.to_owned());
            Ok(frame)
        }
    }
}

fn widen(range: Option<FrameRange>, size: Size) -> FrameRange {
    let FrameRange { min, max } = range.unwrap_or(FrameRange { min: size, max: size });
    FrameRange {
        min: Size { width: min.width.min(size.width), height: min.height.min(size.height) },
        max: Size { width: max.width.max(size.width), height: max.height.max(size.height) },
    }
}
