//! How a part's position in view is found, so that every part is judged in the same position.

use core::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// The cells, serialised as bytes.
struct Cells<'r>(&'r [u8]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The cells as deserialised.
struct Read {
    count: usize,
    luma: [u8; MAX_CELLS],
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Read;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_CELLS} bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Read, E> {
                let mut luma = [0; MAX_CELLS];
                let cells = luma.get_mut(..bytes.len()).ok_or(E::invalid_length(bytes.len(), &self))?;
                cells.copy_from_slice(bytes);
                Ok(Read { count: bytes.len(), luma })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Read, A::Error> {
                let mut read = Read { count: 0, luma: [0; MAX_CELLS] };
                while let Some(value) = values.next_element()? {
                    let cell = read.luma.get_mut(read.count);
                    *cell.ok_or(A::Error::invalid_length(read.count + 1, &self))? = value;
                    read.count += 1;
                }
                Ok(read)
            }
        }

        deserializer.deserialize_bytes(Visit)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.columns, self.rows, Cells(self.luma())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (columns, rows, read) = <(u8, u8, Read)>::deserialize(deserializer)?;
        let cells = read.luma.get(..read.count).unwrap_or_default();
        Self::new(columns, rows, cells)
            .ok_or(D::Error::custom("the number of cells does not match the reference's sides"))
    }
}
