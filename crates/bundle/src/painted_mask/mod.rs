//! Turns a picture painted by a user into what isn't judged and into zones with limits of their own.

mod palette;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use judge::{DecodeError, PrepareError, decode_with_alpha, read_file, region_of_interest};
use shared_format::ignore_mask::MAX_CELLS;
use shared_format::zones::{FACTORS, MAX_ZONES};
use shared_format::{IgnoreMask, Recipe, Roi, Size, Zone, ZoneMask, Zones};

use self::palette::{APART, Paint, Palette, Unclear, grey_levels};
use crate::input_shape::finest_grid;

/// Minimum number of cells of a zone: in fewer, a single position would decide its score.
const MIN_CELLS: usize = 16;

/// What a picture says about the areas of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct PaintedMask {
    /// What isn't judged; `None` if all of it is.
    pub ignore: Option<IgnoreMask>,
    /// Areas with limits of their own, not yet fitted to normals; `None` if there is only one area.
    pub zones: Option<Zones>,
    /// What each level was taken for, for people.
    pub description: String,
}

/// How much more than the others a zone tolerates, as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneFactor {
    /// The grey level that the zone is painted with.
    pub level: u8,
    /// See [`Zone::factor`].
    pub factor: f32,
}

/// Why a picture can't be used as a mask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaintedMaskError {
    /// It doesn't decode.
    #[error("the mask {path} can't be read: {source}", path = path.display())]
    Decode {
        /// The picture.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// It isn't the photos' size.
    #[error(
        "the mask {path} has {}×{} pixels, but the photos have {}×{} to {}×{}; paint it over one of the photos",
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
    /// It has no flat areas.
    #[error(
        "{percent:.0} % of the mask {path} is coloured or between its grey levels; paint with a hard brush, black what should be ignored, \
         white the part, and grey each area that should have its own limit",
        path = path.display()
    )]
    Between {
        /// The picture.
        path: PathBuf,
        /// How much of it belongs to no area.
        percent: f64,
    },
    /// Two levels can't be told apart.
    #[error(
        "the mask {path} has the levels {} and {}, too close to be told apart from soft edges; paint areas at least {APART} levels apart",
        levels[0], levels[1], path = path.display()
    )]
    TooClose {
        /// The picture.
        path: PathBuf,
        /// The levels.
        levels: [u8; 2],
    },
    /// There are more areas than a bundle can hold.
    #[error("the mask {path} has {areas} areas of different grey; paint at most {MAX_ZONES}", path = path.display())]
    TooMany {
        /// The picture.
        path: PathBuf,
        /// How many areas it has.
        areas: usize,
    },
    /// An area is too small for a limit of its own.
    #[error(
        "the area of level {level} in the mask {path} is too small for a limit of its own ({cells} of at least {MIN_CELLS} cells); paint \
         it larger, or judge a smaller region with --roi",
        path = path.display()
    )]
    TooSmall {
        /// The picture.
        path: PathBuf,
        /// The area's level.
        level: u8,
        /// Its number of cells.
        cells: usize,
    },
    /// It is all one area.
    #[error(
        "the mask {} has no black pixels and only one grey level in the region of interest; paint what should be ignored black", .0.display()
    )]
    Nothing(PathBuf),
    /// All of it is black.
    #[error("the mask {} leaves nothing to judge; paint what should be judged white", .0.display())]
    Everything(PathBuf),
    /// A factor is given for a level that is no zone.
    #[error("--zone {level}: {}", if zones.is_empty() {
        "the mask has no zones; paint areas with limits of their own in grey".to_owned()
    } else {
        format!("the mask has no zone of this level; its zones have the levels {zones}")
    })]
    UnknownZone {
        /// The level.
        level: u8,
        /// The levels of the zones.
        zones: String,
    },
    /// Factors are given without a mask.
    #[error("--zone needs a mask; give it with --mask")]
    NoMask,
}

/// Reads the mask that the picture at `path` shows for photos of the recipe, and adds what is ignored to it. Without a path,
/// nothing changes.
///
/// # Errors
/// See [`PaintedMaskError`].
pub fn add_mask(
    recipe: &mut Recipe,
    path: Option<&Path>,
    factors: &[ZoneFactor],
) -> Result<Option<PaintedMask>, PaintedMaskError> {
    let Some(path) = path else {
        return if factors.is_empty() { Ok(None) } else { Err(PaintedMaskError::NoMask) };
    };
    let mask = painted_mask(path, recipe, factors)?;
    recipe.ignore = mask.ignore;
    Ok(Some(mask))
}

/// Reads the mask that the picture at `path` shows for photos of `recipe`: black pixels are ignored, transparent ones are white, and
/// each level with a flat area of its own is a zone if there is more than one.
///
/// The picture must have the photos' size. A cell of the mask is ignored if a black pixel contributes anything to what the network
/// sees of it, so the mask may reach up to a cell beyond the painted area. Other cells belong to the zone with most of their pixels.
///
/// # Errors
/// See [`PaintedMaskError`].
pub fn painted_mask(
    path: &Path,
    recipe: &Recipe,
    factors: &[ZoneFactor],
) -> Result<PaintedMask, PaintedMaskError> {
    let picture = Picture::read(path, recipe)?;
    let owned = || path.to_owned();
    let palette = Palette::of(picture.within_roi()).map_err(|unclear| match unclear {
        Unclear::TooClose(first, second) => {
            PaintedMaskError::TooClose { path: owned(), levels: [first.max(second), first.min(second)] }
        }
        Unclear::Between(share) => PaintedMaskError::Between { path: owned(), percent: 100.0 * share },
    })?;
    let areas = palette.areas.len();
    if areas > MAX_ZONES {
        return Err(PaintedMaskError::TooMany { path: owned(), areas });
    }
    let ([columns, rows], cells) = picture.cells(recipe, &palette);
    let is_ignored: Vec<bool> = cells.iter().map(|cell| *cell == Paint::Ignored).collect();
    if areas == 0 || !is_ignored.contains(&false) {
        return Err(PaintedMaskError::Everything(owned()));
    }
    let ignore = IgnoreMask::new(columns, rows, &is_ignored);
    let mut zones = None;
    if areas > 1 {
        for (area, &level) in (0..).zip(&palette.areas) {
            let cells = cells.iter().filter(|cell| **cell == Paint::Area(area)).count();
            if cells < MIN_CELLS {
                return Err(PaintedMaskError::TooSmall { path: owned(), level, cells });
            }
        }
        let index = |cell: &Paint| if let Paint::Area(area) = cell { *area } else { 0 };
        let mask = ZoneMask::new(columns, rows, &cells.iter().map(index).collect::<Vec<_>>());
        let levels = palette.areas.iter();
        zones = mask.map(|mask| Zones { mask, zones: levels.map(|&level| Zone::new(level, 1.0)).collect() });
    } else if ignore.is_none() {
        return Err(PaintedMaskError::Nothing(owned()));
    }
    for &ZoneFactor { level, factor } in factors {
        let area = palette.area(level).map(usize::from);
        let zone = zones.as_mut().zip(area).and_then(|(zones, area)| zones.zones.get_mut(area));
        let Some(zone) = zone else {
            let levels: Vec<String> = zones.iter().flat_map(Zones::levels).map(|l| l.to_string()).collect();
            return Err(PaintedMaskError::UnknownZone { level, zones: levels.join(", ") });
        };
        zone.factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
    }
    let description = describe(ignore.as_ref(), zones.as_ref(), &cells, palette.between);
    Ok(PaintedMask { ignore, zones, description })
}

/// Says what each level was taken for.
fn describe(ignore: Option<&IgnoreMask>, zones: Option<&Zones>, cells: &[Paint], between: f64) -> String {
    let mut clauses = vec![];
    if let Some(mask) = ignore {
        clauses.push(format!("ignored: {:.0} % of the region of interest", 100.0 * mask.share()));
    }
    if let Some(zones) = zones {
        let mut text = "zones:".to_owned();
        for (area, zone) in (0..).zip(&zones.zones) {
            let count = cells.iter().filter(|cell| **cell == Paint::Area(area)).count();
            let percent = 100.0 * count as f64 / cells.len() as f64;
            let comma = if area == 0 { "" } else { "," };
            let _ = write!(text, "{comma} level {} with {percent:.0} %", zone.level);
            if zone.factor != 1.0 {
                let _ = write!(text, " and factor {}", zone.factor);
            }
        }
        clauses.push(text);
    }
    if between > 0.0 {
        clauses.push(format!("other levels, {:.1} %, are taken for soft edges", 100.0 * between));
    }
    clauses.join("; ")
}

/// A picture of the photos' size.
struct Picture {
    levels: Vec<Option<u8>>,
    size: Size,
    roi: Roi,
}

impl Picture {
    fn read(path: &Path, recipe: &Recipe) -> Result<Self, PaintedMaskError> {
        let failed = |source| PaintedMaskError::Decode { path: path.to_owned(), source };
        let (picture, alpha) = decode_with_alpha(&read_file(path).map_err(failed)?).map_err(failed)?;
        let (size, min, max) = (picture.size(), recipe.frames.min, recipe.frames.max);
        let is_between = |side, min, max| (min..=max).contains(&side);
        if !is_between(size.width, min.width, max.width) || !is_between(size.height, min.height, max.height) {
            return Err(PaintedMaskError::Size { path: path.to_owned(), found: size, min, max });
        }
        let mut levels = grey_levels(&picture);
        if let Some(alpha) = alpha {
            let most = alpha.iter().copied().max().unwrap_or_default();
            let transparent = levels.iter_mut().zip(&alpha).filter(|(_, alpha)| **alpha <= most / 2);
            transparent.for_each(|(level, _)| *level = Some(u8::MAX));
        }
        Ok(Self { levels, size, roi: region_of_interest(recipe, size)? })
    }

    fn within_roi(&self) -> impl Iterator<Item = Option<u8>> {
        let Roi { y, width, height, .. } = self.roi;
        let last = width.saturating_sub(1);
        (y..y + height).flat_map(move |row| self.row(row, (0, last))).copied()
    }

    /// Returns the pixels of a row from the first to the last of `x`, counted from the region of interest's left edge.
    fn row(&self, row: u32, x: (u32, u32)) -> &[Option<u8>] {
        let start = row as usize * self.size.width as usize + self.roi.x as usize;
        &self.levels[start + x.0 as usize..=start + x.1 as usize]
    }

    /// Returns the sides of the mask's grid, and what each of its cells stands for.
    fn cells(&self, recipe: &Recipe, palette: &Palette) -> ([u8; 2], Vec<Paint>) {
        let Size { width, height } = recipe.picture();
        let [columns, rows] = finest_grid(Size { width, height }, MAX_CELLS);
        let (across, down) = (spans(columns, width, self.roi.width), spans(rows, height, self.roi.height));
        let all = down.iter().flat_map(|&y| across.iter().map(move |&x| (x, y)));
        ([columns, rows], all.map(|(x, y)| self.cell(palette, x, y)).collect())
    }

    fn cell(&self, palette: &Palette, x: (u32, u32), y: (u32, u32)) -> Paint {
        let mut counts = [0usize; MAX_ZONES];
        for level in (y.0..=y.1).flat_map(|row| self.row(self.roi.y + row, x)) {
            match palette.paint(*level) {
                Paint::Ignored => return Paint::Ignored,
                Paint::Area(area) => counts[usize::from(area)] += 1,
                Paint::Between => {}
            }
        }
        let most = (0..).zip(counts).max_by_key(|&(area, count)| (count, std::cmp::Reverse(area)));
        Paint::Area(most.map_or(0, |(area, _)| area))
    }
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

#[cfg(test)]
mod tests;
