//! Mirrored copies, for parts that come either way round.

use std::fmt;
use std::str::FromStr;

use bundle::parse::{by_name, name_of};
use serde::{Deserialize, Serialize};
use shared_format::Tiles;

/// Which mirrored copies of the images are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flip {
    /// The images as they are.
    #[default]
    None,
    /// Left and right exchanged.
    Horizontal,
    /// Top and bottom exchanged.
    Vertical,
}

impl Flip {
    const NAMES: [(&'static str, Self); 3] =
        [("none", Self::None), ("horizontal", Self::Horizontal), ("vertical", Self::Vertical)];

    /// Returns the number of samples per image: itself and its mirrored copy.
    #[must_use]
    pub const fn copies(self) -> usize {
        match self {
            Self::None => 1,
            Self::Horizontal | Self::Vertical => 2,
        }
    }

    /// Returns the tile whose mirrored copy lies where `tile` lies in the mirrored frame.
    #[must_use]
    pub fn mirrored_tile(self, tile: usize, tiles: Tiles) -> usize {
        let [columns, rows] = [tiles.columns, tiles.rows].map(|side| usize::from(side).max(1));
        let (row, column) = (tile / columns, tile % columns);
        match self {
            Self::None => tile,
            Self::Horizontal => row * columns + (columns - 1 - column),
            Self::Vertical => (rows - 1 - row) * columns + column,
        }
    }

    /// Mirrors planes of `height` × `width` values in place; [`Flip::None`] leaves them unchanged. Panics in debug builds
    /// if `planes` isn't made of whole planes.
    pub fn mirror(self, planes: &mut [f32], height: usize, width: usize) {
        debug_assert!(planes.len().is_multiple_of((height * width).max(1)), "not whole planes");
        match self {
            Self::None => (),
            Self::Horizontal => planes.chunks_exact_mut(width.max(1)).for_each(<[f32]>::reverse),
            Self::Vertical => {
                for plane in planes.chunks_exact_mut((height * width).max(1)) {
                    let (top, bottom) = plane.split_at_mut(height / 2 * width);
                    let rows = top.chunks_exact_mut(width).zip(bottom.chunks_exact_mut(width).rev());
                    rows.for_each(|(upper, lower)| upper.swap_with_slice(lower));
                }
            }
        }
    }
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}

/// An unknown way to mirror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown flip `{0}`; write none, horizontal or vertical")]
pub struct FlipError(String);

impl FromStr for Flip {
    type Err = FlipError;

    fn from_str(text: &str) -> Result<Self, FlipError> {
        by_name(&Self::NAMES, text).ok_or_else(|| FlipError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_each_plane() {
        let planes: Vec<f32> = (0..12).map(|x| x as f32).collect();
        let mirrored = |flip: Flip| {
            let mut copy = planes.clone();
            flip.mirror(&mut copy, 3, 2);
            copy
        };
        assert_eq!(mirrored(Flip::None), planes);
        assert_eq!(
            mirrored(Flip::Horizontal),
            [1.0, 0.0, 3.0, 2.0, 5.0, 4.0, 7.0, 6.0, 9.0, 8.0, 11.0, 10.0]
        );
        assert_eq!(mirrored(Flip::Vertical), [4.0, 5.0, 2.0, 3.0, 0.0, 1.0, 10.0, 11.0, 8.0, 9.0, 6.0, 7.0]);
    }

    #[test]
    fn tiles_change_places() {
        let tiles = Tiles::side_by_side(3, 2);
        let mirrored = |flip: Flip| (0..6).map(|tile| flip.mirrored_tile(tile, tiles)).collect::<Vec<_>>();
        assert_eq!(mirrored(Flip::None), [0, 1, 2, 3, 4, 5]);
        assert_eq!(mirrored(Flip::Horizontal), [2, 1, 0, 5, 4, 3]);
        assert_eq!(mirrored(Flip::Vertical), [3, 4, 5, 0, 1, 2]);
    }

    #[test]
    fn names_are_read_as_written() {
        for flip in [Flip::None, Flip::Horizontal, Flip::Vertical] {
            assert_eq!(flip.to_string().parse(), Ok(flip));
        }
        assert!("upside-down".parse::<Flip>().is_err());
    }
}
