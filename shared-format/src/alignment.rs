//! How a part's position in view is found, so that every part is judged in the same position.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cell_grid::CellGrid;

/// Maximum number of cells in a [`Reference`].
pub const MAX_CELLS: usize = 4096;
/// Minimum number of cells along each of its sides.
pub const MIN_SIDE: u8 = 8;

/// The kind of movement that alignment takes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Motion {
    /// Shifts only.
    Shift,
    /// Shifts and rotations in the image plane.
    Rigid,
}

/// Settings for finding a part's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alignment {
    /// The kind of movement that is taken out.
    pub motion: Motion,
    /// A frame whose normalised correlation with the reference is below this, in thousandths, is a fault.
    pub least_likeness: u16,
    /// The picture that parts are aligned with.
    pub reference: Reference,
}

impl Alignment {
    /// Returns [`Self::least_likeness`] as a correlation, 0..1.
    #[must_use]
    pub fn least_likeness(&self) -> f64 {
        f64::from(self.least_likeness) / 1000.0
    }

    pub(crate) const fn is_valid(&self) -> bool {
        self.least_likeness <= 1000
    }
}

/// A small grey picture of the region of interest; each cell is the mean of the area it covers.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reference(CellGrid<8, MAX_CELLS>);

impl Reference {
    /// Creates a reference from `columns` × `rows` cells, row by row. `None` if the number of cells differs from that or exceeds
    /// [`MAX_CELLS`], or a side has fewer than [`MIN_SIDE`] cells.
    #[must_use]
    pub fn new(columns: u8, rows: u8, cells: &[u8]) -> Option<Self> {
        Self::of(CellGrid::new(columns, rows, cells.iter().copied())?)
    }

    fn of(grid: CellGrid<8, MAX_CELLS>) -> Option<Self> {
        (grid.columns() >= MIN_SIDE && grid.rows() >= MIN_SIDE).then_some(Self(grid))
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

    /// Returns the cells, row by row.
    #[must_use]
    pub fn luma(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference of {} × {} cells", self.columns(), self.rows())
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(CellGrid::deserialize(deserializer)?)
            .ok_or(D::Error::custom("a side of the reference has too few cells"))
    }
}
