//! Ground-truth masks at the map's resolution, cut into connected regions.

use std::path::{Path, PathBuf};

use judge::{DecodeError, Pixels, decode_file};
use shared_format::{Roi, Size};

/// A mask whose largest value is at most this holds class numbers, not brightness.
const MOST_CLASSES: u16 = 15;

/// Why a mask can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// It doesn't decode.
    #[error("the mask {path} can't be read: {source}", path = path.display())]
    Decode {
        /// The mask.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// It belongs to another image.
    #[error("the mask {path} is {found:?}, its image {expected:?}; give a mask of the image's size", path = path.display())]
    Size {
        /// The mask.
        path: PathBuf,
        /// The mask's size.
        found: Size,
        /// The image's size.
        expected: Size,
    },
}

/// The mask's part inside `roi`, sampled at the centres of a `width` × `height` map: 0 where the part is normal, else
/// the number (from 1) of its 8-connected region.
///
/// # Errors
/// Where the mask doesn't decode or has another size than its image.
pub fn regions(
    path: &Path,
    frame: Size,
    roi: Roi,
    width: usize,
    height: usize,
) -> Result<Vec<u32>, MaskError> {
    let mask = decode_file(path).map_err(|source| MaskError::Decode { path: path.to_owned(), source })?;
    if mask.size() != frame {
        return Err(MaskError::Size { path: path.to_owned(), found: mask.size(), expected: frame });
    }
    let levels: Vec<u16> = match mask.pixels() {
        Pixels::Grey8(p) => p.iter().map(|&v| v.into()).collect(),
        Pixels::Grey16(p) => p.clone(),
        Pixels::Rgb8(p) => p.chunks_exact(3).map(|v| v.iter().copied().max().unwrap_or(0).into()).collect(),
        Pixels::Rgb16(p) => p.chunks_exact(3).map(|v| v.iter().copied().max().unwrap_or(0)).collect(),
    };
    // Masks hold 0 and the numbers of a few classes, or 0 and white with edges that a resize or JPEG has softened.
    let largest = levels.iter().copied().max().unwrap_or(0);
    let limit = if largest <= MOST_CLASSES { 0 } else { largest / 2 };
    let centre =
        |i: usize, n: usize, offset: u32, side: u32| offset + ((2 * i + 1) * side as usize / (2 * n)) as u32;
    let mut defective = Vec::with_capacity(width * height);
    for row in 0..height {
        let y = centre(row, height, roi.y, roi.height);
        for column in 0..width {
            let x = centre(column, width, roi.x, roi.width);
            defective.push(levels[(y * frame.width + x) as usize] > limit);
        }
    }
    Ok(label(&defective, width))
}

/// Numbers the 8-connected regions of `true` from 1.
fn label(inside: &[bool], width: usize) -> Vec<u32> {
    let mut labels = vec![0u32; inside.len()];
    let (height, mut next, mut stack) = (inside.len() / width, 0, vec![]);
    for start in 0..inside.len() {
        if !inside[start] || labels[start] != 0 {
            continue;
        }
        next += 1;
        labels[start] = next;
        stack.push(start);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            for v in y.saturating_sub(1)..(y + 2).min(height) {
                for u in x.saturating_sub(1)..(x + 2).min(width) {
                    let neighbour = v * width + u;
                    if inside[neighbour] && labels[neighbour] == 0 {
                        labels[neighbour] = next;
                        stack.push(neighbour);
                    }
                }
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonal_neighbours_are_one_region() {
        #[rustfmt::skip]
        let inside = [
            true,  false, false, true,
            false, true,  false, true,
            false, false, false, false,
            true,  true,  false, true,
        ];
        assert_eq!(label(&inside, 4), [1, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0, 0, 3, 3, 0, 4]);
    }
}
