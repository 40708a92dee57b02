//! Learns the light of the good parts from a reference patch.

use std::fmt;
use std::path::{Path, PathBuf};

use judge::light::{gains, patch_mean};
use judge::{DecodeError, LightError, decode_file};
use shared_format::{Colour, ReferencePatch, Roi};

/// Why an area can't be a reference patch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A photo doesn't decode.
    #[error("{path}: {source}; put the image back, or leave it out", path = .path.display())]
    Decode {
        /// The photo.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// The patch can't be used in a photo.
    #[error("{path}: {source}; or leave the photo out", path = .path.display())]
    Light {
        /// The photo.
        path: PathBuf,
        /// The cause.
        source: LightError,
    },
    /// There are no photos.
    #[error("there are no photos to learn the light from; give photos of good parts")]
    Nothing,
}

/// A reference patch, and how the light of the photos varied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LightFound {
    /// The patch for the recipe.
    pub patch: ReferencePatch,
    /// The smallest and the largest gain that a channel of a photo needs.
    pub gains: [f32; 2],
}

impl fmt::Display for LightFound {
    /// Writes a description for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.patch.mean.map(|mean| 100.0 * f64::from(mean) / f64::from(u16::MAX));
        let [low, high] = self.gains;
        write!(
            f,
            "red {red:.0} %, green {green:.0} %, blue {blue:.0} % of full; the photos need gains of {low:.2} to {high:.2}"
        )
    }
}

/// Learns the mean of `area` over the photos of good parts, for a recipe that sees them in `colour`.
///
/// # Errors
/// See [`ReferenceError`]; the light of each photo must be within reach of their mean.
pub fn reference_patch(area: Roi, colour: Colour, normals: &[PathBuf]) -> Result<LightFound, ReferenceError> {
    let failed = |path: &Path, source| ReferenceError::Light { path: path.to_owned(), source };
    let mut sums = [0.0; 3];
    for path in normals {
        let mean = patch_mean(&decoded(path)?, area).map_err(|source| failed(path, source))?;
        sums.iter_mut().zip(mean).for_each(|(sum, mean)| *sum += mean);
    }
    if normals.is_empty() {
        return Err(ReferenceError::Nothing);
    }
    let level = |sum: f64| (sum / normals.len() as f64 * f64::from(u16::MAX)).round().max(1.0) as u16;
    let patch = ReferencePatch { area, mean: sums.map(level) };
    let [mut low, mut high] = [f32::INFINITY, 0.0];
    for path in normals {
        let needed = gains(&patch, colour, &decoded(path)?).map_err(|source| failed(path, source))?;
        (low, high) =
            needed.into_iter().fold((low, high), |(low, high), gain| (low.min(gain), high.max(gain)));
    }
    Ok(LightFound { patch, gains: [low, high] })
}

fn decoded(path: &Path) -> Result<judge::Frame, ReferenceError> {
    decode_file(path).map_err(|source| ReferenceError::Decode { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::{Frame, Pixels, encode_png};
    use shared_format::Size;

    const AREA: Roi = Roi { x: 0, y: 0, width: 4, height: 4 };

    /// Grey photos, each with a patch of one of these levels in its corner.
    fn photos(folder: &Path, levels: &[u8]) -> Vec<PathBuf> {
        let photo = |(n, &level): (usize, &u8)| {
            let values = (0..64).map(|pixel| if pixel % 8 < 4 && pixel < 32 { level } else { 7 }).collect();
            let frame = Frame::new(Size { width: 8, height: 8 }, Pixels::Grey8(values)).unwrap();
            let path = folder.join(format!("{n}.png"));
            std::fs::write(&path, encode_png(&frame).unwrap()).unwrap();
            path
        };
        levels.iter().enumerate().map(photo).collect()
    }

    #[test]
    fn the_reference_is_the_mean_over_the_photos() {
        let folder = tempfile::tempdir().unwrap();
        let found = reference_patch(AREA, Colour::Grey, &photos(folder.path(), &[80, 100, 120])).unwrap();
        assert_eq!(found.patch, ReferencePatch { area: AREA, mean: [100 * 257; 3] });
        assert!((found.gains[0] - 100.0 / 120.0).abs() < 1e-6 && (found.gains[1] - 1.25).abs() < 1e-6);
        let text = found.to_string();
        assert!(text.contains("red 39 %") && text.contains("gains of 0.83 to 1.25"), "{text}");
    }

    #[test]
    fn a_photo_whose_patch_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |levels: &[u8], area| {
            let found = reference_patch(area, Colour::Grey, &photos(folder.path(), levels));
            found.unwrap_err().to_string()
        };
        let far = refused(&[200, 200, 200, 60], AREA);
        assert!(
            far.contains("3.png: the light is not that of the good parts") && far.contains("leave"),
            "{far}"
        );
        assert!(refused(&[100, 255], AREA).contains("1.png: 100 % of the reference patch is overexposed"));
        assert!(refused(&[100, 0], AREA).contains("1.png: the reference patch is black"));
        assert!(refused(&[100], Roi { x: 5, ..AREA }).contains("does not fit into the frame of 8×8 pixels"));
        std::fs::write(folder.path().join("0.png"), b"no picture").unwrap();
        let damaged = reference_patch(AREA, Colour::Grey, &[folder.path().join("0.png")]);
        assert!(matches!(damaged, Err(ReferenceError::Decode { .. })));
        assert!(matches!(reference_patch(AREA, Colour::Grey, &[]), Err(ReferenceError::Nothing)));
    }
}
