//! Areas of a part with limits of their own, such as a sealing rim whose smallest dent counts.

use core::fmt;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::cell_grid::CellGrid;

/// Maximum number of zones.
pub const MAX_ZONES: usize = 8;
/// Maximum number of cells in a [`ZoneMask`].
pub const MAX_CELLS: usize = 4096;
/// Shares of a zone's positions, in thousandths, whose largest values count: from a scratch to a stain.
pub const SHARES: [u16; 3] = [2, 10, 50];
/// Smallest and largest [`Zone::factor`].
pub const FACTORS: core::ops::RangeInclusive<f32> = 0.1..=10.0;

/// The median and spread of a number on normals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RobustStats {
    /// The median.
    pub centre: f32,
    /// The spread; above 0.
    pub spread: f32,
}

impl RobustStats {
    /// Leaves numbers as they are.
    pub const NEUTRAL: Self = Self { centre: 0.0, spread: 1.0 };

    /// Returns how many spreads `value` is above the median.
    #[must_use]
    pub fn standardise(&self, value: f32) -> f32 {
        (value - self.centre) / self.spread
    }
}

/// An area of the part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// The grey level, 1..255, that it was painted with; names it for people.
    pub level: u8,
    /// Its score is divided by this before zones are compared: above 1 the zone tolerates more, below 1 less.
    pub factor: f32,
    /// The means of the largest values, for each of [`SHARES`], on normals.
    pub shares: [RobustStats; SHARES.len()],
}

impl Zone {
    /// Returns a zone without statistics of normals.
    #[must_use]
    pub const fn new(level: u8, factor: f32) -> Self {
        Self { level, factor, shares: [RobustStats::NEUTRAL; SHARES.len()] }
    }

    fn is_valid(&self) -> bool {
        let is_usable =
            |stats: &RobustStats| stats.centre.is_finite() && stats.spread.is_finite() && stats.spread > 0.0;
        self.level > 0 && FACTORS.contains(&self.factor) && self.shares.iter().all(is_usable)
    }
}

/// The zone of each cell of the region of interest. If a position is ignored, its zone means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneMask(CellGrid<4, { MAX_CELLS / 2 }>);

impl ZoneMask {
    /// Creates a mask of `columns` × `rows` cells from the index of each cell's zone, row by row. `None` if the number of cells
    /// doesn't match, there are more than [`MAX_CELLS`], or an index has more than four bits.
    #[must_use]
    pub fn new(columns: u8, rows: u8, zones: &[u8]) -> Option<Self> {
        CellGrid::new(columns, rows, zones.iter().copied()).map(Self)
    }

    /// Returns the number of cells in a row.
    #[must_use]
    pub const fn columns(&self) -> u8 {
        self.0.columns()
    }

    /// Returns the number of rows.
    #[must_use]
    pub const fn rows(&self) -> u8 {
        self.0.rows()
    }

    /// Returns the index of a cell's zone; 0 outside the mask.
    #[must_use]
    pub fn zone(&self, column: usize, row: usize) -> u8 {
        self.0.at(column, row).unwrap_or_default()
    }
}

impl fmt::Debug for ZoneMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneMask of {} × {} cells", self.columns(), self.rows())
    }
}

/// Two or more zones, which together cover all that is judged. A frame's score is the largest of its zones' scores.
///
/// A zone's score is the mean over [`SHARES`] of how many spreads the mean of that share of its largest map values is above the
/// normals' median, divided by [`Zone::factor`]. Scores are standardised by each zone's own normals, so one threshold serves all
/// zones, and what it claims holds for the part as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zones {
    /// Where the zones are.
    pub mask: ZoneMask,
    /// The zones, brightest level first.
    pub zones: Vec<Zone, MAX_ZONES>,
}

impl Zones {
    /// Returns whether every field is in its allowed range, and every zone has a cell.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let count = self.zones.len();
        let mut has_cell = [false; MAX_ZONES];
        let is_known = |cell: u8| {
            let found = has_cell.get_mut(usize::from(cell)).filter(|_| usize::from(cell) < count);
            found.map(|found| *found = true).is_some()
        };
        count >= 2
            && self.mask.0.cells().all(is_known)
            && has_cell.iter().take(count).all(|found| *found)
            && self.zones.iter().all(Zone::is_valid)
            && self.zones.is_sorted_by(|first, second| first.level > second.level)
    }

    /// Returns the levels that the zones were painted with.
    pub fn levels(&self) -> impl Iterator<Item = u8> {
        self.zones.iter().map(|zone| zone.level)
    }
}
