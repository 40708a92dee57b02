//! The area of a part that is not judged, such as a label, a serial number or the belt around it.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cell_grid::CellGrid;

/// Maximum number of cells in an [`IgnoreMask`].
pub const MAX_CELLS: usize = 4096;
/// One bit per cell.
type Grid = CellGrid<1, { MAX_CELLS / 8 }>;

/// The cells of the region of interest that are ignored: their content changes neither the score nor the map.
///
/// At least one cell is ignored, and at least one is judged.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct IgnoreMask(Grid);

impl IgnoreMask {
    /// Creates a mask of `columns` × `rows` cells from one value per cell, row by row, `true` if it is ignored. Returns `None` if
    /// the number of values doesn't match, there are more than [`MAX_CELLS`], or all cells or none are ignored.
    #[must_use]
    pub fn new(columns: u8, rows: u8, ignored: &[bool]) -> Option<Self> {
        Self::of(Grid::new(columns, rows, ignored.iter().map(|&ignored| ignored.into()))?)
    }

    fn of(grid: Grid) -> Option<Self> {
        let mask = Self(grid);
        (1..grid.count()).contains(&mask.ignored()).then_some(mask)
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

    /// Returns whether a cell is ignored; cells outside the mask are not.
    #[must_use]
    pub fn ignores(&self, column: usize, row: usize) -> bool {
        self.0.at(column, row) == Some(1)
    }

    /// Returns the ignored share of the region of interest, 0..1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.ignored() as f64 / self.0.count() as f64
    }

    fn ignored(&self) -> usize {
        self.0.bytes().iter().map(|byte| byte.count_ones() as usize).sum()
    }
}

impl fmt::Debug for IgnoreMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (columns, rows, percent) = (self.columns(), self.rows(), 100.0 * self.share());
        write!(f, "IgnoreMask of {columns} × {rows} cells, {percent:.0} % ignored")
    }
}

impl<'de> Deserialize<'de> for IgnoreMask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Grid::deserialize(deserializer)?)
            .ok_or(D::Error::custom("an ignore mask ignores some cells, not all"))
    }
}
