//! The area of a part that is not judged, such as a label, a serial number or the belt around it.

use core::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::byte_array::{ByteArray, Bytes};

/// Maximum number of cells in an [`IgnoreMask`].
pub const MAX_CELLS: usize = 4096;
const MAX_BYTES: usize = MAX_CELLS / 8;

/// The cells of the region of interest that are ignored: their content changes neither the score nor the map.
///
/// At least one cell is ignored, and at least one is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IgnoreMask {
    columns: u8,
    rows: u8,
    /// One bit per cell, row by row, lowest bit first.
    bits: [u8; MAX_BYTES],
}

impl IgnoreMask {
    /// Creates a mask of `columns` × `rows` cells from one value per cell, row by row, `true` if it is ignored. Returns `None` if
    /// the number of values doesn't match, there are more than [`MAX_CELLS`], or all cells or none are ignored.
    #[must_use]
    pub fn new(columns: u8, rows: u8, ignored: &[bool]) -> Option<Self> {
        let count = usize::from(columns) * usize::from(rows);
        if ignored.len() != count || count > MAX_CELLS {
            return None;
        }
        let mut bits = [0; MAX_BYTES];
        for (byte, cells) in bits.iter_mut().zip(ignored.chunks(8)) {
            *byte = cells.iter().enumerate().fold(0, |byte, (bit, &cell)| byte | u8::from(cell) << bit);
        }
        let some = ignored.contains(&true) && ignored.contains(&false);
        some.then_some(Self { columns, rows, bits })
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

    /// Returns whether a cell is ignored; cells outside the mask are not.
    #[must_use]
    pub fn ignores(&self, column: usize, row: usize) -> bool {
        column < self.columns.into()
            && row < self.rows.into()
            && self.bit(row * usize::from(self.columns) + column)
    }

    /// Returns the ignored share of the region of interest, 0..1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let ignored: u32 = self.bits.iter().map(|byte| byte.count_ones()).sum();
        f64::from(ignored) / (f64::from(self.columns) * f64::from(self.rows))
    }

    fn bit(&self, cell: usize) -> bool {
        self.bits.get(cell / 8).is_some_and(|byte| byte >> (cell % 8) & 1 == 1)
    }

    fn bytes(&self) -> &[u8] {
        let count = (usize::from(self.columns) * usize::from(self.rows)).div_ceil(8);
        self.bits.get(..count).unwrap_or(&self.bits)
    }
}

impl fmt::Debug for IgnoreMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IgnoreMask of {} × {} cells, {:.0} % ignored",
            self.columns,
            self.rows,
            100.0 * self.share()
        )
    }
}

impl Serialize for IgnoreMask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.columns, self.rows, Bytes(self.bytes())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for IgnoreMask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (columns, rows, bytes) = <(u8, u8, ByteArray<MAX_BYTES>)>::deserialize(deserializer)?;
        let count = usize::from(columns) * usize::from(rows);
        let mut mask = Self { columns, rows, bits: [0; MAX_BYTES] };
        if let Some(bits) = mask.bits.get_mut(..bytes.as_slice().len()) {
            bits.copy_from_slice(bytes.as_slice());
        }
        let ignored: u32 = mask.bits.iter().map(|byte| byte.count_ones()).sum();
        // Bits after the last cell would be a second way to write the same mask.
        let is_valid = count <= MAX_CELLS
            && bytes.as_slice().len() == count.div_ceil(8)
            && (count..count.next_multiple_of(8)).all(|cell| !mask.bit(cell))
            && (1..count).contains(&(ignored as usize));
        is_valid
            .then_some(mask)
            .ok_or(D::Error::custom("the cells of the ignore mask do not match its sides"))
    }
}
