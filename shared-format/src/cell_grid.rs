//! A grid over the region of interest with a small number in each cell, without allocation.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::byte_array::{ByteArray, Bytes};

/// Numbers of `BITS` bits (1, 2, 4 or 8), row by row, packed into at most `BYTES` bytes, the first into the lowest bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellGrid<const BITS: usize, const BYTES: usize> {
    columns: u8,
    rows: u8,
    /// Bits after the last cell are 0.
    bytes: [u8; BYTES],
}

impl<const BITS: usize, const BYTES: usize> CellGrid<BITS, BYTES> {
    const PER_BYTE: usize = 8 / BITS;
    const LARGEST: u8 = u8::MAX >> (8 - BITS);

    /// Creates a grid. `None` if the number of cells isn't `columns` × `rows`, they don't fit, or one is too large for its bits.
    pub(crate) fn new(columns: u8, rows: u8, cells: impl ExactSizeIterator<Item = u8>) -> Option<Self> {
        let mut grid = Self { columns, rows, bytes: [0; BYTES] };
        if cells.len() != grid.count() || grid.used() > BYTES {
            return None;
        }
        for (at, cell) in cells.enumerate() {
            let byte = grid.bytes.get_mut(at / Self::PER_BYTE).filter(|_| cell <= Self::LARGEST)?;
            *byte |= cell << (at % Self::PER_BYTE * BITS);
        }
        Some(grid)
    }

    /// Returns the number of cells in a row.
    pub(crate) const fn columns(&self) -> u8 {
        self.columns
    }

    /// Returns the number of rows.
    pub(crate) const fn rows(&self) -> u8 {
        self.rows
    }

    /// Returns the number of cells.
    pub(crate) const fn count(&self) -> usize {
        self.columns as usize * self.rows as usize
    }

    /// Returns the number in a cell; `None` outside the grid.
    pub(crate) fn at(&self, column: usize, row: usize) -> Option<u8> {
        let columns = usize::from(self.columns);
        (column < columns && row < self.rows.into()).then(|| self.cell(row * columns + column))
    }

    /// Returns the numbers in all cells, row by row.
    pub(crate) fn cells(&self) -> impl Iterator<Item = u8> {
        (0..self.count()).map(|cell| self.cell(cell))
    }

    /// Returns the packed numbers.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used()).unwrap_or(&self.bytes)
    }

    const fn used(&self) -> usize {
        self.count().div_ceil(Self::PER_BYTE)
    }

    fn cell(&self, cell: usize) -> u8 {
        let byte = self.bytes.get(cell / Self::PER_BYTE).copied().unwrap_or_default();
        byte >> (cell % Self::PER_BYTE * BITS) & Self::LARGEST
    }
}

impl<const BITS: usize, const BYTES: usize> Serialize for CellGrid<BITS, BYTES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.columns, self.rows, Bytes(self.bytes())).serialize(serializer)
    }
}

impl<'de, const BITS: usize, const BYTES: usize> Deserialize<'de> for CellGrid<BITS, BYTES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (columns, rows, bytes) = <(u8, u8, ByteArray<BYTES>)>::deserialize(deserializer)?;
        let grid = Self { columns, rows, bytes: bytes.padded() };
        let count = grid.count();
        // Bits after the last cell would be a second way to write the same grid.
        let is_valid = bytes.as_slice().len() == grid.used()
            && (count..count.next_multiple_of(Self::PER_BYTE)).all(|cell| grid.cell(cell) == 0);
        is_valid
            .then_some(grid)
            .ok_or(D::Error::custom("the number of cells does not match the grid's sides"))
    }
}
