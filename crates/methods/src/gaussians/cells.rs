//! The cells of positions that share a covariance.

use super::GaussiansError;

/// A grid of positions divided into square cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    rows: usize,
    columns: usize,
    side: usize,
}

impl Cells {
    /// Divides `rows` × `columns` positions into cells of `side` × `side`.
    ///
    /// # Errors
    /// If the cells don't tile the grid.
    pub fn new(rows: usize, columns: usize, side: usize) -> Result<Self, GaussiansError> {
        if side > 0 && rows.is_multiple_of(side) && columns.is_multiple_of(side) {
            Ok(Self { rows, columns, side })
        } else {
            Err(GaussiansError::Untiled { rows, columns, side })
        }
    }

    /// Returns the number of positions.
    #[must_use]
    pub fn positions(self) -> usize {
        self.rows * self.columns
    }

    /// Returns the number of positions in one cell.
    #[must_use]
    pub fn each(self) -> usize {
        self.side * self.side
    }

    /// Returns the number of cells.
    #[must_use]
    pub fn count(self) -> usize {
        self.positions() / self.each().max(1)
    }

    /// Returns the cell of a position; both are numbered row by row.
    #[must_use]
    pub fn of(self, position: usize) -> usize {
        let (row, column) = (position / self.columns, position % self.columns);
        (row / self.side) * (self.columns / self.side) + column / self.side
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_tile_the_grid_or_there_are_none() {
        let cells = Cells::new(2, 4, 2).unwrap();
        assert_eq!((cells.positions(), cells.each(), cells.count()), (8, 4, 2));
        assert_eq!((0..8).map(|p| cells.of(p)).collect::<Vec<_>>(), [0, 0, 1, 1, 0, 0, 1, 1]);
        assert!(Cells::new(2, 3, 2).is_err());
        assert!(Cells::new(2, 2, 0).is_err());
    }
}
