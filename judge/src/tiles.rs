//! Cuts a picture into tiles, and puts tiles' maps together again.

use shared_format::{Size, Tiles};

/// Returns the rows of a tile of size `input`, from a picture of the size that the tiles make up.
pub(crate) fn rows_of<T>(
    picture: &[T],
    tiles: Tiles,
    input: Size,
    tile: usize,
) -> impl Iterator<Item = &[T]> {
    let width = tiles.picture(input).width as usize;
    let ([left, top], length) = (tiles.corner(tile, input).map(|edge| edge as usize), input.width as usize);
    let rows = picture.chunks_exact(width.max(1)).skip(top).take(input.height as usize);
    rows.map(move |row| row.get(left..left + length).unwrap_or_default())
}

/// Puts maps of tiles of size `input` together, row by row. Where two of them overlap, one fades into the other, so that no seam shows
/// and a defect on it has one outline.
pub(crate) fn blend<'m>(maps: impl Iterator<Item = &'m [f32]>, tiles: Tiles, input: Size) -> Vec<f32> {
    let Size { width, height } = tiles.picture(input);
    let mut blended = vec![0.0; width as usize * height as usize];
    let columns = usize::from(tiles.columns).max(1);
    for (tile, map) in maps.enumerate() {
        let across = weights(input.width, tile % columns, columns, tiles.overlap);
        let down = weights(input.height, tile / columns, tiles.rows.into(), tiles.overlap);
        let [left, top] = tiles.corner(tile, input).map(|edge| edge as usize);
        let rows = map.chunks_exact(across.len().max(1)).zip(&down);
        for ((row, down), out) in rows.zip(blended.chunks_exact_mut(width.max(1) as usize).skip(top)) {
            let out = out.iter_mut().skip(left);
            for ((value, across), out) in row.iter().zip(&across).zip(out) {
                *out += down * across * value;
            }
        }
    }
    blended
}

/// Returns how much each pixel along a side of tile `index` of `tiles` counts. The weights of two overlapping tiles add up to 1.
fn weights(side: u32, index: usize, tiles: usize, overlap: u16) -> Vec<f32> {
    let (side, overlap) = (side as usize, usize::from(overlap));
    let fading_in = |pixel: usize| (pixel as f32 + 0.5) / overlap as f32;
    let weight = |pixel: usize| {
        let to_end = side - 1 - pixel;
        if index > 0 && pixel < overlap {
            fading_in(pixel)
        } else if index + 1 < tiles && to_end < overlap {
            fading_in(to_end)
        } else {
            1.0
        }
    };
    (0..side).map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Size = Size { width: 128, height: 64 };

    #[test]
    fn a_picture_that_is_cut_and_put_together_is_the_same() {
        for (columns, rows, overlap) in [(1, 1, 0), (3, 2, 0), (3, 2, 32), (2, 3, 32), (4, 1, 64)] {
            let tiles = Tiles { columns, rows, overlap };
            let Size { width, height } = tiles.picture(INPUT);
            let picture: Vec<f32> = (0..width * height).map(|at| (at % 997) as f32).collect();
            let cut: Vec<Vec<f32>> = (0..tiles.count())
                .map(|tile| rows_of(&picture, tiles, INPUT, tile).flatten().copied().collect())
                .collect();
            assert!(cut.iter().all(|tile| tile.len() == 128 * 64));
            let together = blend(cut.iter().map(Vec::as_slice), tiles, INPUT);
            assert_eq!(together.len(), picture.len());
            let differs = picture.iter().zip(&together).any(|(a, b)| (a - b).abs() > 1e-3);
            assert!(!differs, "{tiles:?}");
            if overlap == 0 {
                assert_eq!(together, picture);
            }
        }
    }

    #[test]
    fn a_tile_fades_into_its_neighbour() {
        let tiles = Tiles { columns: 2, rows: 1, overlap: 32 };
        let maps = [vec![0.0; 128 * 64], vec![1.0; 128 * 64]];
        let together = blend(maps.iter().map(Vec::as_slice), tiles, INPUT);
        let row = &together[..224];
        assert!(row.is_sorted() && row[95] == 0.0 && row[128] == 1.0, "{row:?}");
        assert!(row.windows(2).all(|pair| pair[1] - pair[0] < 0.04), "{row:?}");
    }
}
