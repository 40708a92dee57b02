//! Puts the features of a frame's tiles together.

use judge::TILE_FEATURES;
use networks::onnx::{GraphBuilder, Value};
use shared_format::Tiles;

/// Pixels of the input per position of the features' grid.
const STEP: usize = 8;

/// The tiles of a frame on the features' grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileGrid {
    tiles: Tiles,
    /// Rows and columns of a tile.
    tile: [usize; 2],
}

impl TileGrid {
    /// Returns the grid of tiles whose features have these rows and columns.
    #[must_use]
    pub const fn new(tiles: Tiles, tile: [usize; 2]) -> Self {
        Self { tiles, tile }
    }

    /// Returns the grid of tiles that together have these rows and columns; see [`Self::whole`].
    #[must_use]
    pub fn of_whole(tiles: Tiles, [rows, columns]: [usize; 2]) -> Self {
        let overlap = usize::from(tiles.overlap) / STEP;
        let side = |whole: usize, tiles: u8| {
            let tiles = usize::from(tiles).max(1);
            (whole + (tiles - 1) * overlap) / tiles
        };
        Self { tiles, tile: [side(rows, tiles.rows), side(columns, tiles.columns)] }
    }

    /// Returns the rows and columns of all tiles together.
    #[must_use]
    pub fn whole(self) -> [usize; 2] {
        let [rows, columns] = self.strides();
        let side =
            |tiles: u8, stride: usize, tile: usize| usize::from(tiles).saturating_sub(1) * stride + tile;
        [side(self.tiles.rows, rows, self.tile[0]), side(self.tiles.columns, columns, self.tile[1])]
    }

    /// Returns, for each position of all tiles together, its index in tiles × rows × columns. Where tiles overlap, a position is taken
    /// from the tile in which it is farther from the edge: beyond that, the backbone sees its own padding.
    #[must_use]
    pub fn sources(self) -> Vec<usize> {
        let ([rows, columns], [down, across]) = (self.whole(), self.strides());
        let overlap = usize::from(self.tiles.overlap) / STEP;
        let tile_at = |position: usize, stride: usize, tiles: u8| {
            (position.saturating_sub(overlap / 2) / stride.max(1)).min(usize::from(tiles).saturating_sub(1))
        };
        let mut sources = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let tile_row = tile_at(row, down, self.tiles.rows);
            for column in 0..columns {
                let tile_column = tile_at(column, across, self.tiles.columns);
                let tile = tile_row * usize::from(self.tiles.columns) + tile_column;
                let inside = [row - tile_row * down, column - tile_column * across];
                sources.push((tile * self.tile[0] + inside[0]) * self.tile[1] + inside[1]);
            }
        }
        sources
    }

    /// Returns, for each tile, its positions among those of all tiles together.
    pub fn windows(self) -> impl Iterator<Item = Vec<usize>> {
        let ([_, whole_columns], [down, across]) = (self.whole(), self.strides());
        let ([rows, columns], tile_columns) = (self.tile, usize::from(self.tiles.columns).max(1));
        (0..self.tiles.count()).map(move |tile| {
            let (top, left) = (tile / tile_columns * down, tile % tile_columns * across);
            let positions = (0..rows * columns).map(|at| (top + at / columns, left + at % columns));
            positions.map(|(row, column)| row * whole_columns + column).collect()
        })
    }

    /// Returns the distance between neighbouring tiles, in rows and columns.
    fn strides(self) -> [usize; 2] {
        self.tile.map(|side| side.saturating_sub(usize::from(self.tiles.overlap) / STEP))
    }
}

/// Adds the features of all `tiles` together, positions × channels, and returns their rows and columns too. `features` are the tiles'
/// (tiles × channels × rows × columns).
pub fn add_by_position(graph: &mut GraphBuilder, features: &Value, tiles: Tiles) -> (Value, [usize; 2]) {
    let [count, channels, rows, columns] = [0, 1, 2, 3].map(|axis| features.shape()[axis]);
    if count == 1 {
        let by_channel = graph.reshape(features, &[channels, rows * columns]);
        return (graph.transpose(&by_channel, &[1, 0]), [rows, columns]);
    }
    // The judge computes this value tile by tile.
    let features = graph.name(features, TILE_FEATURES);
    let channels_last = graph.transpose(&features, &[0, 2, 3, 1]);
    let by_position = graph.reshape(&channels_last, &[count * rows * columns, channels]);
    let grid = TileGrid::new(tiles, [rows, columns]);
    let sources: Vec<i64> = grid.sources().iter().map(|&source| source as i64).collect();
    let sources = graph.integer_constant("tiles.sources", &[sources.len()], &sources);
    (graph.gather(&by_position, &sources, 0), grid.whole())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_from_the_tile_in_which_it_is_farthest_from_the_edge() {
        // Two tiles of 8 columns that share 4, and 2 rows.
        let grid = TileGrid::new(Tiles { columns: 2, rows: 1, overlap: 32 }, [2, 8]);
        assert_eq!(grid.whole(), [2, 12]);
        assert_eq!(TileGrid::of_whole(Tiles { columns: 2, rows: 1, overlap: 32 }, [2, 12]), grid);
        let first_row = [0, 1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 23];
        assert_eq!(grid.sources()[..12], first_row);
        assert_eq!(grid.sources()[12..], first_row.map(|source| source + 8));
    }

    #[test]
    fn sources_lie_where_the_windows_say() {
        for (columns, rows, overlap) in [(1, 1, 0), (3, 2, 0), (3, 2, 32), (2, 4, 64)] {
            let grid = TileGrid::new(Tiles { columns, rows, overlap }, [16, 20]);
            let windows: Vec<usize> = grid.windows().flatten().collect();
            for (position, source) in grid.sources().into_iter().enumerate() {
                assert_eq!(windows[source], position, "{grid:?}");
            }
            let mut seen = windows;
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), grid.whole().iter().product::<usize>(), "{grid:?}");
        }
    }
}
