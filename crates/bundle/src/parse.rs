//! Parses values written on command lines: names, sizes, regions, grids.

use shared_format::recipe::{INPUT_SIDES, INPUT_STEP, MAX_TILES};
use shared_format::zones::FACTORS;
use shared_format::{Roi, Size};

use crate::tiling::TileChoice;

use crate::painted_mask::ZoneFactor;

/// Why a value can't be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not a size.
    #[error("invalid size `{0}`: expected 256 or 384x256")]
    Size(String),
    /// A side that networks don't support.
    #[error(
        "{pixels} is not a multiple of {INPUT_STEP} from {} to {}; the nearest is {nearest}",
        INPUT_SIDES.start(), INPUT_SIDES.end()
    )]
    Side {
        /// The side.
        pixels: u32,
        /// The nearest side that they support.
        nearest: u32,
    },
    /// Not a number of pixels, or one that networks don't support.
    #[error("invalid number of pixels `{text}`: expected {} to {}", INPUT_SIDES.start().pow(2), INPUT_SIDES.end().pow(2))]
    Pixels {
        /// What was written.
        text: String,
    },
    /// Not a region.
    #[error("invalid region `{0}`: expected X,Y,WIDTH,HEIGHT in pixels, such as 100,50,640,480")]
    Region(String),
    /// Not a zone's factor.
    #[error("invalid zone `{0}`: expected LEVEL:FACTOR, such as 128:1.3, with a level from 1 to 255 and a factor from {min} to {max}", min = FACTORS.start(), max = FACTORS.end())]
    Zone(String),
    /// Not a grid.
    #[error("invalid grid `{0}`: expected auto, or COLUMNSxROWS, such as 2x1, each from 1 to {MAX_TILES}")]
    Tiles(String),
    /// Not an overlap.
    #[error("invalid overlap `{0}`: expected a multiple of {INPUT_STEP} pixels, at most {most}", most = INPUT_SIDES.end() / 2)]
    Overlap(String),
}

/// Returns the value named `text`.
#[must_use]
pub fn by_name<T: Copy>(names: &[(&str, T)], text: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

/// Returns the name of a value; empty if it has none.
#[must_use]
pub fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, named)| named == value).map_or("", |(name, _)| name)
}

/// Parses a size: `256` or `384x256`.
///
/// # Errors
/// Names the nearest size, or the expected format.
pub fn input_size(text: &str) -> Result<Size, ParseError> {
    let (width, height) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
    let side = |side: &str| -> Result<u32, ParseError> {
        let pixels: u32 = side.trim().parse().map_err(|_| ParseError::Size(text.to_owned()))?;
        if INPUT_SIDES.contains(&pixels) && pixels.is_multiple_of(INPUT_STEP) {
            Ok(pixels)
        } else {
            let (low, high) = (INPUT_SIDES.start(), INPUT_SIDES.end());
            let nearest =
                (pixels.saturating_add(INPUT_STEP / 2) / INPUT_STEP * INPUT_STEP).clamp(*low, *high);
            Err(ParseError::Side { pixels, nearest })
        }
    };
    Ok(Size { width: side(width)?, height: side(height)? })
}

/// Parses a number of pixels for a network's input: `65536`.
///
/// # Errors
/// Names the range.
pub fn pixels(text: &str) -> Result<u32, ParseError> {
    let side = |pixels: u32| pixels * pixels;
    let range = side(*INPUT_SIDES.start())..=side(*INPUT_SIDES.end());
    text.trim()
        .parse()
        .ok()
        .filter(|n| range.contains(n))
        .ok_or_else(|| ParseError::Pixels { text: text.to_owned() })
}

/// Parses a region: `X,Y,W,H`.
///
/// # Errors
/// Names the expected format.
pub fn region(text: &str) -> Result<Roi, ParseError> {
    let numbers: Result<Vec<u32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[x, y, width, height])
            if width > 0
                && height > 0
                && x.checked_add(width).is_some()
                && y.checked_add(height).is_some() =>
        {
            Ok(Roi { x, y, width, height })
        }
        _ => Err(ParseError::Region(text.to_owned())),
    }
}

/// Parses a zone's factor: `128:1.3`.
///
/// # Errors
/// Names the expected format.
pub fn zone(text: &str) -> Result<ZoneFactor, ParseError> {
    let parts = text.split_once(':').and_then(|(level, factor)| {
        let level = level.trim().parse::<u8>().ok().filter(|level| *level > 0)?;
        let factor = factor.trim().parse::<f32>().ok().filter(|factor| FACTORS.contains(factor))?;
        Some(ZoneFactor { level, factor })
    });
    parts.ok_or_else(|| ParseError::Zone(text.to_owned()))
}

/// Parses how a region is cut into tiles: `2x1`, columns × rows, or `auto`.
///
/// # Errors
/// Names the expected format.
pub fn tiles(text: &str) -> Result<TileChoice, ParseError> {
    if text.trim() == "auto" {
        return Ok(TileChoice::Auto);
    }
    let parse = |part: &str| part.trim().parse::<u8>().ok().filter(|n| (1..=MAX_TILES).contains(n));
    let grid = text.split_once(['x', 'X', '×']).and_then(|(c, r)| Some((parse(c)?, parse(r)?)));
    let (columns, rows) = grid.ok_or_else(|| ParseError::Tiles(text.to_owned()))?;
    Ok(TileChoice::Grid { columns, rows })
}

/// Parses the overlap of tiles: pixels, a multiple of 32.
///
/// # Errors
/// Names the range.
pub fn overlap(text: &str) -> Result<u16, ParseError> {
    let most = INPUT_SIDES.end() / 2;
    let fits = |overlap: &u16| u32::from(*overlap) <= most && u32::from(*overlap).is_multiple_of(INPUT_STEP);
    text.trim().parse().ok().filter(fits).ok_or_else(|| ParseError::Overlap(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(input_size("256"), Ok(Size { width: 256, height: 256 }));
        assert_eq!(input_size("384x256"), Ok(Size { width: 384, height: 256 }));
        assert_eq!(input_size("17"), Err(ParseError::Side { pixels: 17, nearest: 64 }));
        for bad in ["", "x", "256x", "-64", "256x250", "99999999999", "4294967295"] {
            assert!(input_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_pixels() {
        assert_eq!(pixels("65536"), Ok(65_536));
        for bad in ["", "-1", "4095", "1048577", "99999999999", "64x64"] {
            assert!(pixels(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zones() {
        assert_eq!(zone("128:1.3"), Ok(ZoneFactor { level: 128, factor: 1.3 }));
        for bad in ["", "128", "0:1", "256:1", "128:0", "128:11", "128:nan", "128:-1", "rim:1.3", "128:1:2"] {
            assert!(zone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_and_grids() {
        assert_eq!(region("1,2,3,4"), Ok(Roi { x: 1, y: 2, width: 3, height: 4 }));
        for bad in ["", "1,2,3", "1,2,0,4", "1,2,3,4,5", "a,b,c,d", "4294967295,0,2,2"] {
            assert!(region(bad).is_err(), "{bad}");
        }
        assert_eq!(tiles("2x1"), Ok(TileChoice::Grid { columns: 2, rows: 1 }));
        assert_eq!(tiles("auto"), Ok(TileChoice::Auto));
        for bad in ["", "2", "0x1", "17x1", "automatic"] {
            assert!(tiles(bad).is_err(), "{bad}");
        }
        assert_eq!(overlap("64"), Ok(64));
        for bad in ["", "16", "-32", "544", "65536", "half"] {
            assert!(overlap(bad).is_err(), "{bad}");
        }
    }
}
