//! Overlay pictures: one PNG per frame, written by rename, so that no reader ever sees a partial one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use judge::{EncodeError, Frame, Judgement, encode_png, overlay, region_of_interest};
use shared_format::{Roi, ThresholdFile};

/// An error when writing an overlay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverlayError {
    /// The folder can't be written to.
    #[error("cannot write overlays to {folder}; give a writable folder", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The picture can't be encoded.
    #[error("cannot encode an overlay")]
    Encode(#[from] EncodeError),
    /// The picture can't be written.
    #[error("cannot write the overlay {file}; check the space left on the disk", file = file.display())]
    Write {
        /// The picture's file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// A folder that overlays are written to.
#[derive(Debug)]
pub struct Overlays {
    folder: PathBuf,
    /// Lower case: on some systems, two names that differ only in case are the same file.
    taken: HashSet<String>,
}

impl Overlays {
    /// Creates the folder if it doesn't exist, and checks that it is writable.
    ///
    /// # Errors
    /// [`OverlayError::Folder`]
    pub fn open(folder: &Path) -> Result<Self, OverlayError> {
        let unwritable = |source| OverlayError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        let probe = folder.join(temporary("probe"));
        std::fs::write(&probe, []).and_then(|()| std::fs::remove_file(&probe)).map_err(unwritable)?;
        Ok(Self { folder: folder.to_owned(), taken: HashSet::new() })
    }

    /// Writes the overlay of one frame as `STEM.png`, or `STEM-2.png` and so on if an earlier frame of this run has the
    /// same stem.
    ///
    /// # Errors
    /// If the overlay can't be encoded or written.
    pub fn write(
        &mut self,
        path: &Path,
        frame: &Frame,
        judgement: &Judgement,
        thresholds: &ThresholdFile,
    ) -> Result<(), OverlayError> {
        let png = draw(frame, judgement, thresholds)?;
        let name = self.name_for(path);
        let (part, whole) = (self.folder.join(temporary(&name)), self.folder.join(&name));
        let written = std::fs::write(&part, png).and_then(|()| std::fs::rename(&part, &whole));
        written
            .inspect_err(|_| drop(std::fs::remove_file(&part)))
            .map_err(|source| OverlayError::Write { file: whole, source })
    }

    fn name_for(&mut self, path: &Path) -> String {
        let stem = path.file_stem().map_or_else(|| "frame".into(), |s| s.to_string_lossy());
        let names = std::iter::once(format!("{stem}.png"));
        let mut names = names.chain((2_u64..).map(|n| format!("{stem}-{n}.png")));
        // The chain never ends, so there is always a free name.
        let free = names.find(|name| self.taken.insert(name.to_lowercase()));
        free.unwrap_or_else(|| format!("{stem}.png"))
    }
}

/// Draws the overlay of a judged frame, as PNG.
///
/// # Errors
/// If the frame is too large for a PNG.
pub fn draw(
    frame: &Frame,
    judgement: &Judgement,
    thresholds: &ThresholdFile,
) -> Result<Vec<u8>, EncodeError> {
    // A frame that can't hold the region of interest still gets its border.
    let all = Roi { x: 0, y: 0, width: frame.size().width, height: frame.size().height };
    let roi = region_of_interest(&thresholds.recipe, frame.size()).unwrap_or(all);
    encode_png(&overlay(frame, judgement, roi, thresholds.pixel_threshold))
}

/// Returns a temporary name: hidden and with the process id, so that neither a reader nor a second run runs into it.
fn temporary(name: &str) -> String {
    format!(".{name}.{}.part", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stems_get_different_names() {
        let mut overlays = Overlays { folder: PathBuf::new(), taken: HashSet::new() };
        let names: Vec<String> = ["a/x.png", "b/x.jpg", "x-2.png", "X.bmp"]
            .iter()
            .map(|p| overlays.name_for(p.as_ref()))
            .collect();
        assert_eq!(names, ["x.png", "x-2.png", "x-2-2.png", "X-3.png"]);
    }
}
