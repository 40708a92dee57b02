//! Which positions of the features' grid show a taught defect.

use judge::align::{RigidTransform, warp};
use judge::{Frame, Preparer, decode_file, region_of_interest};
use shared_format::{Recipe, Size};

use super::error::DefectsError;
use super::examples::Example;
use crate::features::FeatureError;
use bundle::evaluate::regions;

/// Without mask and boxes, this share of the positions, in thousandths, is taken: those least like good parts.
const UNMARKED_SHARE: usize = 10;
/// A position shows the defect if at least this share of it is marked, or half as much as of the position with the largest share.
const COVERED: f32 = 0.5;

/// Finds the positions that show a defect.
#[derive(Debug)]
pub(super) struct Locator {
    preparer: Preparer,
    /// Rows and columns of a tile's features.
    grid: [usize; 2],
    input: Vec<f32>,
}

impl Locator {
    pub(super) fn new(recipe: Recipe, grid: [usize; 2]) -> Self {
        Self { preparer: Preparer::new(recipe), grid, input: vec![] }
    }

    /// Returns the positions of each tile that show the defect of `example`; `maps` are the tiles' distances from good parts.
    ///
    /// # Errors
    /// If image, masks or boxes can't be used, or mark nothing that is judged.
    pub(super) fn positions(
        &mut self,
        example: &Example,
        maps: &[Vec<f32>],
    ) -> Result<Vec<Vec<usize>>, LocationError> {
        let path = &example.path;
        let decoded = decode_file(path);
        let frame = decoded.map_err(|source| DefectsError::Decode { path: path.clone(), source })?;
        let prepared = self.preparer.prepare(&frame, &mut self.input);
        let movement =
            prepared.map_err(|source| FeatureError::Prepare { what: path.display().to_string(), source })?;
        let Some(marked) = self.marked(example, &frame)? else { return Ok(least_like_good(maps)) };
        let shares = self.shares(&marked, movement);
        let largest = shares.iter().flatten().copied().fold(0.0, f32::max);
        if largest == 0.0 {
            return Err(DefectsError::Outside(path.clone()).into());
        }
        let least = COVERED.min(COVERED * largest);
        let covered = |tile: &Vec<f32>| (0..tile.len()).filter(|&position| tile[position] >= least).collect();
        Ok(shares.iter().map(covered).collect())
    }

    /// Returns what marks the defect, at the input's resolution with all tiles side by side; `None` if nothing does.
    fn marked(&self, example: &Example, frame: &Frame) -> Result<Option<Vec<f32>>, LocationError> {
        let recipe = self.preparer.recipe();
        let (path, size) = (&example.path, frame.size());
        let roi = region_of_interest(recipe, size)
            .map_err(|source| FeatureError::Prepare { what: path.display().to_string(), source })?;
        let [width, height] = sides(recipe);
        if !example.masks.is_empty() {
            let found = regions(&example.masks, size, roi, width, height).map_err(DefectsError::from)?;
            // A mask that marks no pixel says nothing about where the defect is, unless the whole frame was judged.
            let is_marked =
                |label: &u32| f32::from(u8::from(*label != 0 && *label != bundle::evaluate::IGNORED));
            return Ok(found.map(|labels| labels.iter().map(is_marked).collect()));
        }
        if example.boxes.is_empty() {
            return Ok(None);
        }
        let mut marked = vec![0.0; width * height];
        let of_frame = |at: usize, length: usize, start: u32, side: u32, all: u32| {
            (f64::from(start) + (at as f64 + 0.5) * f64::from(side) / length as f64) / f64::from(all)
        };
        for (at, value) in marked.iter_mut().enumerate() {
            let x = of_frame(at % width, width, roi.x, roi.width, size.width);
            let y = of_frame(at / width, height, roi.y, roi.height, size.height);
            let inside = |b: &[f64; 4]| x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3];
            *value = f32::from(u8::from(example.boxes.iter().any(inside)));
        }
        Ok(Some(marked))
    }

    /// Returns the marked share of each position of each tile.
    fn shares(&self, marked: &[f32], movement: Option<RigidTransform>) -> Vec<Vec<f32>> {
        let recipe = self.preparer.recipe();
        let [width, height] = sides(recipe);
        let mut moved = vec![];
        let marked = match movement {
            Some(movement) => {
                warp(marked, [width, height], movement, &mut moved);
                &moved[..]
            }
            None => marked,
        };
        let ([rows, columns], Size { width: across, height: down }) = (self.grid, recipe.input);
        let each = (across as usize * down as usize) as f32 / (rows * columns) as f32;
        let mut shares = vec![vec![0.0; rows * columns]; recipe.tiles.count()];
        let tile_columns = usize::from(recipe.tiles.columns);
        for (y, line) in marked.chunks_exact(width).enumerate() {
            let (tile_row, row) = (y / down as usize, y % down as usize * rows / down as usize);
            for (x, &value) in line.iter().enumerate() {
                let (tile_column, column) =
                    (x / across as usize, x % across as usize * columns / across as usize);
                shares[tile_row * tile_columns + tile_column][row * columns + column] += value / each;
            }
        }
        shares
    }
}

/// Why a defect can't be located.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocationError {
    #[error(transparent)]
    Defects(#[from] DefectsError),
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

/// Returns the sides of all tiles' inputs together.
fn sides(recipe: &Recipe) -> [usize; 2] {
    let (tiles, input) = (recipe.tiles, recipe.input);
    [usize::from(tiles.columns) * input.width as usize, usize::from(tiles.rows) * input.height as usize]
}

/// Returns the positions with the largest distances.
fn least_like_good(maps: &[Vec<f32>]) -> Vec<Vec<usize>> {
    let mut all: Vec<(usize, usize)> =
        maps.iter().enumerate().flat_map(|(tile, map)| (0..map.len()).map(move |at| (tile, at))).collect();
    all.sort_by(|a, b| maps[b.0][b.1].total_cmp(&maps[a.0][a.1]));
    // A share of one tile: a defect doesn't grow with the number of tiles.
    let each = maps.first().map_or(0, Vec::len);
    all.truncate((each * UNMARKED_SHARE).div_ceil(1000).max(1));
    let mut positions = vec![vec![]; maps.len()];
    all.into_iter().for_each(|(tile, at)| positions[tile].push(at));
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::{Pixels, encode_png};
    use shared_format::{Colour, FrameRange, Roi, Tiles};

    const FRAME: Size = Size { width: 128, height: 64 };

    fn recipe(roi: Option<Roi>, tiles: Tiles) -> Recipe {
        let frames = FrameRange { min: FRAME, max: FRAME };
        let input = Size { width: 64, height: 64 };
        Recipe {
            input,
            roi,
            tiles,
            colour: Colour::Grey,
            frames,
            alignment: None,
            ignore: None,
            reference_patch: None,
        }
    }

    fn image(path: &std::path::Path, size: Size, bright: impl Fn(u32, u32) -> bool) {
        let pixels = (0..size.width * size.height)
            .map(|at| if bright(at % size.width, at / size.width) { 255 } else { 0 })
            .collect();
        let frame = Frame::new(size, Pixels::Grey8(pixels)).unwrap();
        std::fs::write(path, encode_png(&frame).unwrap()).unwrap();
    }

    #[test]
    fn masks_boxes_and_nothing_each_say_where_a_defect_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        image(&at("part.png"), FRAME, |x, _| x % 2 == 0);
        // The second tile's cell in row 1, column 2, and a few pixels of its neighbour.
        let inside = |x: u32, y: u32| (64 + 16..64 + 25).contains(&x) && (8..16).contains(&y);
        image(&at("mask.png"), FRAME, inside);
        image(&at("small.png"), Size { width: 64, height: 64 }, |_, _| true);
        let mut locator = Locator::new(recipe(None, Tiles::side_by_side(2, 1)), [8, 8]);
        let mut maps = vec![vec![0.0; 64]; 2];
        maps[0][5] = 3.0;
        let mut example =
            Example { path: at("part.png"), kind: 0, masks: vec![at("mask.png")], boxes: vec![] };
        assert_eq!(locator.positions(&example, &maps).unwrap(), [vec![], vec![10]]);
        example.masks = vec![at("small.png")];
        let error = locator.positions(&example, &maps).unwrap_err().to_string();
        assert!(error.contains("use a mask of the image's size"), "{error}");
        (example.masks, example.boxes) = (vec![], vec![[0.625, 0.125, 0.6875, 0.25]]);
        assert_eq!(locator.positions(&example, &maps).unwrap(), [vec![], vec![10]]);
        example.boxes.clear();
        assert_eq!(locator.positions(&example, &maps).unwrap(), [vec![5], vec![]]);
        // Only the left half is judged.
        let roi = Some(Roi { x: 0, y: 0, width: 64, height: 64 });
        example.boxes = vec![[0.625, 0.125, 0.6875, 0.25]];
        let error =
            Locator::new(recipe(roi, Tiles::ONE), [8, 8]).positions(&example, &maps[..1]).unwrap_err();
        assert!(error.to_string().contains("part.png lies outside"), "{error}");
        example.path = at("absent.png");
        assert!(locator.positions(&example, &maps).is_err());
    }
}
