//! How a part's position in view is found, so that every part is judged in the same position.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::byte_array::{ByteArray, Bytes};

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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    columns: u8,
    rows: u8,
    luma: [u8; MAX_CELLS],
}

impl Reference {
    /// Creates a reference from `columns` × `rows` cells, row by row. `None` if the number of cells differs from that or exceeds
    /// [`MAX_CELLS`], or a side has fewer than [`MIN_SIDE`] cells.
    #[must_use]
    pub fn new(columns: u8, rows: u8, cells: &[u8]) -> Option<Self> {
        let count = usize::from(columns) * usize::from(rows);
        if columns < MIN_SIDE || rows < MIN_SIDE || cells.len() != count {
            return None;
        }
        let mut luma = [0; MAX_CELLS];
        luma.get_mut(..count)?.copy_from_slice(cells);
        Some(Self { columns, rows, luma })
    }

    /// Returns the number of cells in a row.
    #[must_use]
    pub const fn columns(&self) -> u8 {
        self.columns
    }

    /// Returns the number of rows.
    #[must_use]
    pub const fn rows(&self) -> u8 {
        self.rows
    }

    /// Returns the cells, row by row.
    #[must_use]
    pub fn luma(&self) -> &[u8] {
        let count = usize::from(self.columns) * usize::from(self.rows);
        self.luma.get(..count).unwrap_or(&self.luma)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference of {} × {} cells", self.columns, self.rows)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.columns, self.rows, Bytes(self.luma())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (columns, rows, cells) = <(u8, u8, ByteArray<MAX_CELLS>)>::deserialize(deserializer)?;
        Self::new(columns, rows, cells.as_slice())
            .ok_or(D::Error::custom("the number of cells does not match the reference's sides"))
    }
}
