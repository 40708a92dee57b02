//! Turns a picture painted by a user into the mask of what isn't judged.

use std::path::{Path, PathBuf};

use judge::{DecodeError, Pixels, PrepareError, decode_with_alpha, read_file, region_of_interest};
use shared_format::ignore_mask::MAX_CELLS;
use shared_format::{IgnoreMask, Recipe, Roi, Size};

use crate::evaluate::levels;
use crate::input_shape::finest_grid;

/// Levels below this are black, …
const BLACK: f32 = 0.125;
/// … and above this white, on the scale 0..1. A JPEG of black and white has next to nothing in between.
const WHITE: f32 = 0.875;
/// The largest share of a mask's pixels that may be grey, for the soft edges of brushes.
const MAX_GREY: f64 = 0.05;

/// Why a picture can't be used as an ignore mask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreError {
    /// It doesn't decode.
    #[error("the ignore mask {path} can't be read: {source}", path = path.display())]
    Decode {
        /// The picture.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// It isn't the photos' size.
    #[error(
        "the ignore mask {path} has {}×{} pixels, but the photos have {}×{} to {}×{}; paint it over one of the photos",
        found.width, found.height, min.width, min.height, max.width, max.height, path = path.display()
    )]
    Size {
        /// The picture.
        path: PathBuf,
        /// Its size.
        found: Size,
        /// The smallest photos' size.
        min: Size,
        /// The largest photos' size.
        max: Size,
    },
    /// The region of interest isn't within it.
    #[error(transparent)]
    Region(#[from] PrepareError),
    /// It isn't black and white.
    #[error(
        "{percent:.0} % of the ignore mask {path} is neither black nor white; paint what should be ignored black, and everything else white",
        path = path.display()
    )]
    Grey {
        /// The picture.
        path: PathBuf,
        /// How much of it is grey.
        percent: f64,
    },
    /// Nothing is black.
    #[error("the ignore mask {} has no black pixels in the region of interest; paint what should be ignored black", .0.display())]
    Nothing(PathBuf),
    /// All of it is black.
    #[error("the ignore mask {} leaves nothing to judge; paint what should be judged white", .0.display())]
    Everything(PathBuf),
}

/// Reads the mask that the picture at `path` shows for photos of `recipe`: black pixels are ignored, transparent ones are not.
///
/// The picture must have the photos' size. A cell of the mask is ignored if a black pixel contributes anything to what the network
/// sees of it, so the mask may reach up to a cell beyond the painted area.
///
/// # Errors
/// See [`IgnoreError`].
pub fn ignore_mask(path: &Path, recipe: &Recipe) -> Result<IgnoreMask, IgnoreError> {
    let failed = |source| IgnoreError::Decode { path: path.to_owned(), source };
    let (picture, alpha) = decode_with_alpha(&read_file(path).map_err(failed)?).map_err(failed)?;
    let (size, min, max) = (picture.size(), recipe.frames.min, recipe.frames.max);
    let is_between = |side, min, max| (min..=max).contains(&side);
    if !is_between(size.width, min.width, max.width) || !is_between(size.height, min.height, max.height) {
        return Err(IgnoreError::Size { path: path.to_owned(), found: size, min, max });
    }
    let full = if matches!(picture.pixels(), Pixels::Grey8(_) | Pixels::Rgb8(_)) {
        u8::MAX.into()
    } else {
        u16::MAX
    };
    let mut levels: Vec<f32> =
        levels(&picture).into_iter().map(|level| f32::from(level) / f32::from(full)).collect();
    if let Some(alpha) = alpha {
        let most = alpha.iter().copied().max().unwrap_or_default();
        let transparent = levels.iter_mut().zip(&alpha).filter(|(_, alpha)| **alpha <= most / 2);
        transparent.for_each(|(level, _)| *level = 1.0);
    }
    let grey = levels.iter().filter(|level| (BLACK..WHITE).contains(*level)).count() as f64;
    let share = grey / levels.len().max(1) as f64;
    if share > MAX_GREY {
        return Err(IgnoreError::Grey { path: path.to_owned(), percent: 100.0 * share });
    }
    let painted: Vec<bool> = levels.iter().map(|level| *level < 0.5).collect();
    let roi = region_of_interest(recipe, size)?;
    let width = recipe.input.width * u32::from(recipe.tiles.columns);
    let height = recipe.input.height * u32::from(recipe.tiles.rows);
    let [columns, rows] = finest_grid(Size { width, height }, MAX_CELLS);
    let (across, down) = (spans(columns, width, roi.width), spans(rows, height, roi.height));
    let cells: Vec<bool> = down
        .iter()
        .flat_map(|&y| across.iter().map(move |&x| (x, y)))
        .map(|(x, y)| is_painted(&painted, size, roi, x, y))
        .collect();
    if !cells.contains(&true) {
        return Err(IgnoreError::Nothing(path.to_owned()));
    }
    IgnoreMask::new(columns, rows, &cells).ok_or_else(|| IgnoreError::Everything(path.to_owned()))
}

/// Returns, for each cell of a side, the first and last of the `from` pixels of the region of interest that contribute to the cell's
/// share of the `to` pixels that the network sees.
fn spans(cells: u8, to: u32, from: u32) -> Vec<(u32, u32)> {
    let scale = f64::from(from) / f64::from(to);
    // The reach of the resize filter.
    let margin = scale.max(1.0);
    let (cells, last) = (u32::from(cells), from.saturating_sub(1));
    let edge = |cell: u32| f64::from((cell * to).div_ceil(cells)) * scale;
    (0..cells)
        .map(|cell| {
            let (start, end) = (edge(cell) - margin, edge(cell + 1) + margin);
            ((start.max(0.0) as u32).min(last), (end.ceil() as u32).saturating_sub(1).min(last))
        })
        .collect()
}

fn is_painted(painted: &[bool], size: Size, roi: Roi, x: (u32, u32), y: (u32, u32)) -> bool {
    (roi.y + y.0..=roi.y + y.1).any(|row| {
        let start = row as usize * size.width as usize + roi.x as usize;
        painted[start + x.0 as usize..=start + x.1 as usize].contains(&true)
    })
}

#[cfg(test)]
mod tests;
