//! How a part's position in view is found, so that it can be judged as if it lay as the others do.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::byte_array::{ByteArray, Bytes};

/// Most cells of a [`Reference`].
pub const MAX_CELLS: usize = 4096;
/// Fewest cells of one of its sides.
pub const MIN_SIDE: u8 = 8;

/// What is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Motion {
    /// Shifts.
    Shift,
    /// Shifts and turns in the plane of the picture.
    Rigid,
}

/// How a part's position is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alignment {
    /// What is taken out.
    pub motion: Motion,
    /// A frame less like the reference than this, in thousandths of a normalised correlation, is a fault.
    pub least_likeness: u16,
    /// What the parts are aligned with.
    pub reference: Reference,
}

impl Alignment {
    /// [`Self::least_likeness`] as a correlation, 0..1.
    #[must_use]
    pub fn least_likeness(&self) -> f64 {
        f64::from(self.least_likeness) / 1000.0
    }

    pub(crate) const fn is_valid(&self) -> bool {
        self.least_likeness <= 1000
    }
}

/// A small grey picture of the region of interest: each cell the mean of what it covers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    columns: u8,
    rows: u8,
    luma: [u8; MAX_CELLS],
}

impl Reference {
    /// From `columns` × `rows` cells, row by row; `None` if there are other than as many, more than [`MAX_CELLS`], or a side has fewer than
    /// [`MIN_SIDE`].
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

    /// Cells in a row.
    #[must_use]
    pub const fn columns(&self) -> u8 {
        self.columns
    }

    /// Rows of cells.
    #[must_use]
    pub const fn rows(&self) -> u8 {
        self.rows
    }

    /// The cells, row by row.
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
            .ok_or(D::Error::custom("a reference with other sides than it has cells"))
    }
}
