//! Chooses the tiles that a region of interest is cut into, and their size.

use std::fmt;

use shared_format::recipe::{INPUT_SIDES, INPUT_STEP, MAX_TILES};
use shared_format::{FrameRange, Roi, Size, Tiles};

use crate::input_shape::{MORE, input_shape, middle};

/// Default overlap of neighbouring tiles, in pixels of the input. Half of it is cut off on either side of a seam: what a network sees
/// of its own padding there counts little beyond.
pub const OVERLAP: u16 = 32;
/// `auto` enlarges photos by this share at most, or shrinks them, where tiles of whole steps don't fit exactly.
const ROUNDING: f64 = 0.03;
/// Factor by which an overlap may squash what the network sees, at most.
const MAX_SQUASH: f64 = 2.0;
/// Maximum number of pixels that `auto` shows of a frame: the default method's Gaussians then take their maximum of 128 MiB. Larger
/// photos are shrunk.
const MAX_PIXELS: f64 = (1u32 << 21) as f64;
/// Share to which `auto` shrinks photos in each round until they fit …
const SHRINKAGE: f64 = 0.97;
/// … in at most this many rounds.
const MAX_ROUNDS: usize = 500;

/// How a user asks for tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileChoice {
    /// As many as show the photos at their own size.
    Auto,
    /// A grid.
    Grid {
        /// Tiles in a row.
        columns: u8,
        /// Rows of tiles.
        rows: u8,
    },
}

/// What a user asks for.
#[derive(Debug, Clone, Copy)]
pub struct TilingRequest {
    /// The grid.
    pub tiles: TileChoice,
    /// Pixels of the input by which tiles overlap; [`OVERLAP`] by default.
    pub overlap: Option<u16>,
    /// Size of a tile's input; by default about `pixels`, in a tile's shape.
    pub size: Option<Size>,
    /// Number of pixels of a tile's input.
    pub pixels: u32,
}

/// Tiles, and the size at which the network sees each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiling {
    /// The grid.
    pub tiles: Tiles,
    /// Size of a tile's input.
    pub input: Size,
    /// Pixels of the input per pixel of the photos.
    pub scale: f64,
}

impl fmt::Display for Tiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { width, height } = self.input;
        let Tiles { columns, rows, overlap } = self.tiles;
        match self.tiles.count() {
            1 => write!(f, "one of {width}×{height} pixels")?,
            _ => write!(f, "{columns}×{rows} of {width}×{height} pixels that overlap by {overlap}")?,
        }
        write!(f, "; photos are seen at {:.0} % of their size", 100.0 * self.scale)
    }
}

/// A tiling that isn't possible.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TilingError {
    /// A single tile with an overlap.
    #[error("a single tile overlaps with nothing; leave --overlap out, or give more --tiles")]
    Single,
    /// The overlap doesn't fit.
    #[error(
        "tiles of {}×{} pixels can overlap by a multiple of {INPUT_STEP} pixels, at most half a side, but not by {overlap}; \
         give another --overlap, or larger tiles", input.width, input.height
    )]
    Overlap {
        /// The overlap.
        overlap: u16,
        /// The tiles' size.
        input: Size,
    },
}

/// Chooses tiles for a region of interest of `frames`. If frames differ in size, the middle of their range counts.
///
/// # Errors
/// See [`TilingError`].
pub fn tiling(request: &TilingRequest, frames: FrameRange, roi: Option<Roi>) -> Result<Tiling, TilingError> {
    let seen = match roi {
        Some(roi) => [f64::from(roi.width), f64::from(roi.height)],
        None => [middle(frames.min.width, frames.max.width), middle(frames.min.height, frames.max.height)],
    };
    let overlap = request.overlap.unwrap_or(OVERLAP);
    let (tiles, input) = match request.tiles {
        TileChoice::Grid { columns: 1, rows: 1 } if request.overlap.is_some_and(|overlap| overlap > 0) => {
            return Err(TilingError::Single);
        }
        TileChoice::Grid { columns, rows } => {
            let tiles = grid(columns, rows, overlap);
            let of = |tiles| input_shape(frames, roi, tiles, request.pixels);
            let input = request.size.unwrap_or_else(|| of(tiles));
            // A large overlap leaves only tiles that are larger than asked for, or squash the part.
            let usual = request.size.unwrap_or_else(|| of(Tiles::side_by_side(columns, rows)));
            let most = (f64::from(request.pixels) * (1.0 + MORE)).max(area(usual));
            let squash = |tiles: Tiles, input| {
                let picture = tiles.picture(input);
                let shape = f64::from(picture.width) / f64::from(picture.height.max(1));
                (shape / (seen[0] / seen[1])).ln().abs()
            };
            let usual_squash = squash(Tiles::side_by_side(columns, rows), usual);
            let is_squashed = request.size.is_none() && squash(tiles, input) > MAX_SQUASH.ln() + usual_squash;
            if area(input) > most || is_squashed {
                return Err(TilingError::Overlap { overlap, input: usual });
            }
            (tiles, input)
        }
        TileChoice::Auto => auto(request, overlap, seen).unwrap_or_else(|| {
            (Tiles::ONE, request.size.unwrap_or_else(|| input_shape(frames, roi, Tiles::ONE, request.pixels)))
        }),
    };
    if !tiles.is_valid(input) {
        return Err(TilingError::Overlap { overlap, input });
    }
    let picture = tiles.picture(input);
    let scale = (f64::from(picture.width) / seen[0] * f64::from(picture.height) / seen[1]).sqrt();
    Ok(Tiling { tiles, input, scale })
}

/// Returns the tiles, and their size, that show `seen` pixels at their own size for the fewest pixels in total; smaller, if they are too
/// many.
fn auto(request: &TilingRequest, overlap: u16, seen: [f64; 2]) -> Option<(Tiles, Size)> {
    let most = request.size.map_or(f64::from(request.pixels) * (1.0 + MORE), |_| f64::INFINITY);
    let mut scale = (MAX_PIXELS / (seen[0] * seen[1])).sqrt().min(1.0);
    // Each round shows a little less of what the largest grid can't show.
    for _ in 0..MAX_ROUNDS {
        let [width, height] = seen.map(|side| scale * (1.0 - ROUNDING) * side);
        let down = sides(height, overlap, request.size.map(|size| size.height));
        let grids = sides(width, overlap, request.size.map(|size| size.width)).into_iter();
        let grids = grids.flat_map(|across| down.iter().map(move |&down| (across, down)));
        let tilings = grids
            .map(|((columns, width), (rows, height))| (grid(columns, rows, overlap), Size { width, height }));
        let fitting = tilings.filter(|&(tiles, input)| area(input) <= most && tiles.is_valid(input));
        let cost = |(tiles, input): &(Tiles, Size)| area(*input) * tiles.count() as f64;
        if let Some(best) = fitting.min_by(|a, b| cost(a).total_cmp(&cost(b))) {
            return Some(best);
        }
        scale *= SHRINKAGE;
    }
    None
}

/// Returns, for each number of tiles along a side of `length` pixels, the smallest side of a tile, or the one given, that covers it.
fn sides(length: f64, overlap: u16, given: Option<u32>) -> Vec<(u8, u32)> {
    let overlap = u32::from(overlap);
    let side = |tiles: u8| {
        let shared = u32::from(tiles - 1) * overlap;
        let step = f64::from(INPUT_STEP);
        let least = ((length + f64::from(shared)) / f64::from(tiles) / step).ceil() * step;
        let side = given.unwrap_or((least as u32).max(*INPUT_SIDES.start()));
        let covers = f64::from(u32::from(tiles) * side) - f64::from(shared) >= length;
        (covers && INPUT_SIDES.contains(&side)).then_some((tiles, side))
    };
    (1..=MAX_TILES).filter_map(side).collect()
}

fn area(size: Size) -> f64 {
    f64::from(size.width) * f64::from(size.height)
}

/// Returns the grid, without an overlap if it is a single tile.
const fn grid(columns: u8, rows: u8, overlap: u16) -> Tiles {
    let tiles = Tiles::side_by_side(columns, rows);
    if tiles.count() == 1 { tiles } else { Tiles { overlap, ..tiles } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input_shape::PIXELS;

    fn of(width: u32, height: u32, request: TilingRequest) -> Result<Tiling, TilingError> {
        let size = Size { width, height };
        tiling(&request, FrameRange { min: size, max: size }, None)
    }

    const AUTO: TilingRequest =
        TilingRequest { tiles: TileChoice::Auto, overlap: None, size: None, pixels: PIXELS };

    #[test]
    fn auto_shows_photos_at_their_own_size() {
        for (width, height) in [(300, 200), (640, 283), (1400, 619), (512, 512), (1920, 1080), (3000, 200)] {
            let Tiling { tiles, input, scale } = of(width, height, AUTO).unwrap();
            assert!((0.96..1.12).contains(&scale), "{width}×{height}: {tiles:?} {input:?} {scale}");
            assert!(f64::from(input.width * input.height) <= 1.06 * f64::from(PIXELS), "{input:?}");
            assert!(tiles.is_valid(input));
        }
        assert_eq!(of(256, 250, AUTO).unwrap().tiles, Tiles::ONE);
        assert_eq!(of(640, 283, AUTO).unwrap().tiles, Tiles { columns: 4, rows: 1, overlap: 32 });
        // More pixels a tile make fewer tiles.
        let large = TilingRequest { pixels: 4 * PIXELS, ..AUTO };
        assert!(
            of(1400, 619, large).unwrap().tiles.count() * 3 <= of(1400, 619, AUTO).unwrap().tiles.count()
        );
    }

    #[test]
    fn auto_shrinks_what_is_too_large_and_survives_absurd_photos() {
        let found = of(5472, 3648, AUTO).unwrap();
        let picture = found.tiles.picture(found.input);
        assert!(picture.width * picture.height <= 2_300_000 && found.scale < 0.4, "{found}");
        for (width, height) in [(1, 1), (u32::MAX, 1), (u32::MAX, u32::MAX), (20_000, 64)] {
            let found = of(width, height, AUTO).unwrap();
            assert!(found.tiles.is_valid(found.input), "{found}");
        }
        let size = Some(Size { width: 128, height: 96 });
        let found = of(640, 283, TilingRequest { size, ..AUTO }).unwrap();
        assert_eq!((found.input.width, found.tiles.columns, found.tiles.rows), (128, 7, 4), "{found}");
        let all = TilingRequest { overlap: Some(512), ..AUTO };
        assert!(of(1400, 619, all).is_ok());
    }

    #[test]
    fn a_grid_overlaps_if_it_can() {
        let grid = |columns, rows, overlap| TilingRequest {
            tiles: TileChoice::Grid { columns, rows },
            overlap,
            ..AUTO
        };
        assert_eq!(of(600, 300, grid(1, 1, None)).unwrap().tiles, Tiles::ONE);
        assert_eq!(of(600, 300, grid(1, 1, Some(32))), Err(TilingError::Single));
        assert_eq!(of(600, 300, grid(2, 1, None)).unwrap().tiles.overlap, OVERLAP);
        assert_eq!(of(600, 300, grid(2, 1, Some(0))).unwrap().tiles, Tiles::side_by_side(2, 1));
        // Only rows or columns that there are several of overlap, and must be twice as large as that.
        let wide = of(600, 150, grid(2, 1, Some(128))).unwrap();
        assert!(wide.input.height < 256 && wide.tiles.overlap == 128, "{wide}");
        for overlap in [16, 256, 512, 544, 65_504] {
            let error = of(600, 300, grid(2, 1, Some(overlap))).unwrap_err();
            assert!(matches!(error, TilingError::Overlap { .. }), "{error}");
        }
    }
}
