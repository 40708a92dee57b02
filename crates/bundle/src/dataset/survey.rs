//! Looks at every image once: which can be used, how large they are, whether any has colour.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use judge::{Frame, decode, file_sha256, read_file};
use shared_format::{Colour, FrameRange, Roi, Size};

/// Smallest side of a usable image, in pixels.
const MIN_SIDE: u32 = 16;
/// Largest ratio of the sides of a usable image.
const MAX_ASPECT: u32 = 20;

/// An image that isn't used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// A sentence.
    pub reason: String,
}

/// The result of looking at every image.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Images that decode, have a sensible size and are no copy of an earlier one.
    pub usable: Vec<PathBuf>,
    /// The others.
    pub skipped: Vec<Skipped>,
    /// Sizes of the usable images; `None` where there are none.
    pub frames: Option<FrameRange>,
    /// [`Colour::Grey`] when every usable image is grey.
    pub colour: Colour,
}

/// Decodes every image of `paths`; an image outside which `roi` reaches is skipped like an unreadable one. `progress`
/// is called after each.
pub fn survey(paths: &[PathBuf], roi: Option<Roi>, mut progress: impl FnMut()) -> Survey {
    let mut found = Survey { usable: vec![], skipped: vec![], frames: None, colour: Colour::Grey };
    let mut seen: HashMap<[u8; 32], PathBuf> = HashMap::new();
    for path in paths {
        match look(path, roi, &mut seen) {
            Ok(frame) => {
                found.frames = Some(widen(found.frames, frame.size()));
                if !frame.is_grey() {
                    found.colour = Colour::Rgb;
                }
                found.usable.push(path.clone());
            }
            Err(reason) => found.skipped.push(Skipped { path: path.clone(), reason }),
        }
        progress();
    }
    found
}

fn look(path: &Path, roi: Option<Roi>, seen: &mut HashMap<[u8; 32], PathBuf>) -> Result<Frame, String> {
    if path.to_str().is_none() {
        return Err("its name is not UTF-8; rename it".to_owned());
    }
    let bytes = read_file(path).map_err(|e| e.to_string())?;
    let frame = decode(&bytes).map_err(|e| e.to_string())?;
    let Size { width, height } = frame.size();
    if width.min(height) < MIN_SIDE {
        return Err(format!("{width}×{height} pixels; the shorter side must have at least {MIN_SIDE}"));
    }
    if width.max(height) > width.min(height).saturating_mul(MAX_ASPECT) {
        return Err(format!("{width}×{height} pixels; one side may be at most {MAX_ASPECT} times the other"));
    }
    if let Some(Roi { x, y, width: w, height: h }) = roi
        && (x.saturating_add(w) > width || y.saturating_add(h) > height)
    {
        return Err(format!(
            "{width}×{height} pixels; the region of interest {x},{y},{w},{h} reaches outside"
        ));
    }
    // A copy of an image in another set would make the calibration's claim untrue.
    if let Some(original) = seen.insert(file_sha256(&bytes), path.to_owned()) {
        return Err(format!("the same bytes as {}", original.display()));
    }
    Ok(frame)
}

fn widen(range: Option<FrameRange>, size: Size) -> FrameRange {
    let FrameRange { min, max } = range.unwrap_or(FrameRange { min: size, max: size });
    FrameRange {
        min: Size { width: min.width.min(size.width), height: min.height.min(size.height) },
        max: Size { width: max.width.max(size.width), height: max.height.max(size.height) },
    }
}
