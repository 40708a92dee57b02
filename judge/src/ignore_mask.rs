//! The pixels that an ignore mask covers.
//!
//! They are blanked before the network sees them, so whatever a part shows there changes nothing. Models learn from images that
//! were blanked in the same way.

use std::borrow::Cow;

use shared_format::{Colour, Recipe, Size};

use crate::tiles::rows_of;

/// The value of ignored pixels: the mean of natural images, which is also what a network's zero padding stands for.
const BLANK: [f32; 3] = [0.485, 0.456, 0.406];
/// The same in grey: the luma of [`BLANK`] (ITU-R BT.601).
const GREY: f32 = 0.459;

/// The ignored pixels of the network's input, for each tile of the region of interest.
#[derive(Debug)]
pub struct IgnoredPixels {
    /// For each tile, whether each of its pixels is ignored, row by row; empty if nothing is.
    tiles: Vec<Vec<bool>>,
    /// The same for the whole region of interest.
    picture: Vec<bool>,
    blank: [f32; 3],
}

impl IgnoredPixels {
    /// Returns the pixels that a recipe ignores.
    #[must_use]
    pub fn new(recipe: &Recipe) -> Self {
        let blank = if recipe.colour == Colour::Grey { [GREY; 3] } else { BLANK };
        let Some(mask) = &recipe.ignore else { return Self { tiles: vec![], picture: vec![], blank } };
        let Size { width, height } = recipe.picture();
        let cell = |pixel: u32, pixels: u32, cells: u8| pixel as usize * usize::from(cells) / pixels as usize;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let is_ignored = |(x, y)| mask.ignores(cell(x, width, mask.columns()), cell(y, height, mask.rows()));
        let picture: Vec<bool> = pixels.map(is_ignored).collect();
        let tile = |tile| rows_of(&picture, recipe.tiles, recipe.input, tile).flatten().copied().collect();
        Self { tiles: (0..recipe.tiles.count()).map(tile).collect(), picture, blank }
    }

    /// Returns whether each pixel of [`Recipe::picture`] is ignored, row by row; empty if nothing is.
    #[must_use]
    pub fn of_picture(&self) -> &[bool] {
        &self.picture
    }

    /// Returns whether each pixel of a tile is ignored, row by row; empty if nothing is.
    #[must_use]
    pub fn of_tile(&self, tile: usize) -> &[bool] {
        self.tiles.get(tile).map_or(&[], Vec::as_slice)
    }

    /// Blanks the ignored pixels of tiles × 3 × height × width values.
    pub fn blank(&self, input: &mut [f32]) {
        let length = input.len() / self.tiles.len().max(1);
        for (tile, ignored) in input.chunks_exact_mut(length.max(1)).zip(&self.tiles) {
            for (plane, blank) in tile.chunks_exact_mut(ignored.len().max(1)).zip(self.blank) {
                let pixels = plane.iter_mut().zip(ignored).filter(|(_, ignored)| **ignored);
                pixels.for_each(|(pixel, _)| *pixel = blank);
            }
        }
    }
}

/// Returns the values that are not ignored. `ignored` has an entry for each value, or is empty if none is ignored.
#[must_use]
pub fn judged<'v>(values: &'v [f32], ignored: &[bool]) -> Cow<'v, [f32]> {
    if ignored.is_empty() {
        return Cow::Borrowed(values);
    }
    values.iter().zip(ignored).filter(|(_, ignored)| !**ignored).map(|(value, _)| *value).collect()
}
