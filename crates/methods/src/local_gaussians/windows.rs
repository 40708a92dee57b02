//! Index tables for the graph: which positions are compared with which.

/// A grid split into square cells, each with a window of all positions up to `reach` away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Side of a cell.
    pub(super) cell: usize,
    pub(super) reach: usize,
}

impl Windows {
    fn cell_columns(self) -> usize {
        self.columns / self.cell
    }

    pub(super) fn cells(self) -> usize {
        self.rows / self.cell * self.cell_columns()
    }

    /// Returns the number of positions in a cell.
    pub(super) fn each(self) -> usize {
        self.cell * self.cell
    }

    /// Returns the side of a window.
    fn side(self) -> usize {
        self.cell + 2 * self.reach
    }

    /// Returns the number of positions of a window.
    pub(super) fn window_positions(self) -> usize {
        self.side() * self.side()
    }

    /// Returns the positions of a cell, row by row.
    pub(super) fn members(self, cell: usize) -> impl Iterator<Item = usize> {
        let (top, left) = (cell / self.cell_columns() * self.cell, cell % self.cell_columns() * self.cell);
        (0..self.each())
            .map(move |member| (top + member / self.cell) * self.columns + left + member % self.cell)
    }

    /// Returns, for each cell, the positions of its window, row by row; beyond the grid's edges, the nearest position at the
    /// edge.
    pub(super) fn cell_table(self) -> Vec<i64> {
        let inside = |at: usize, length: usize| at.saturating_sub(self.reach).min(length - 1);
        let window = |cell: usize| {
            let (top, left) =
                (cell / self.cell_columns() * self.cell, cell % self.cell_columns() * self.cell);
            (0..self.window_positions()).map(move |place| {
                let row = inside(top + place / self.side(), self.rows);
                let column = inside(left + place % self.side(), self.columns);
                (row * self.columns + column) as i64
            })
        };
        (0..self.cells()).flat_map(window).collect()
    }

    /// Returns the number of comparisons per position: with its own Gaussian and its neighbours'.
    pub(super) fn comparisons(self) -> usize {
        (2 * self.reach + 1) * (2 * self.reach + 1)
    }

    /// Returns, for each position, the indices of its comparisons in cells × window positions × members; its own comparison stands in for
    /// neighbours beyond the edges.
    pub(super) fn neighbour_table(self) -> Vec<i64> {
        let reach = self.reach as i64;
        let mut table = Vec::with_capacity(self.rows * self.columns * self.comparisons());
        for position in 0..self.rows * self.columns {
            let (row, column) = ((position / self.columns) as i64, (position % self.columns) as i64);
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let neighbour = self.position(row + dy, column + dx).unwrap_or(position);
                    table.push(self.comparison(position, neighbour));
                }
            }
        }
        table
    }

    fn position(self, row: i64, column: i64) -> Option<usize> {
        let (row, column) = (usize::try_from(row).ok()?, usize::try_from(column).ok()?);
        (row < self.rows && column < self.columns).then_some(row * self.columns + column)
    }

    /// Returns the index of the comparison of `position` with the Gaussian of `neighbour`.
    fn comparison(self, position: usize, neighbour: usize) -> i64 {
        let at = |position: usize| (position / self.columns, position % self.columns);
        let ((row, column), (of_row, of_column)) = (at(position), at(neighbour));
        let cell = of_row / self.cell * self.cell_columns() + of_column / self.cell;
        let member = of_row % self.cell * self.cell + of_column % self.cell;
        let place = (row + self.reach - of_row / self.cell * self.cell) * self.side() + column + self.reach
            - of_column / self.cell * self.cell;
        ((cell * self.window_positions() + place) * self.each() + member) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_meets_its_neighbours_gaussians() {
        for (cell, reach) in [(2, 0), (2, 1), (2, 2), (4, 0), (4, 1), (4, 3)] {
            let (rows, columns) = (8, 12);
            let windows = Windows { rows, columns, cell, reach };
            let (cell_table, neighbour_table) = (windows.cell_table(), windows.neighbour_table());
            for (position, comparisons) in neighbour_table.chunks_exact(windows.comparisons()).enumerate() {
                for &comparison in comparisons {
                    let comparison = comparison as usize;
                    let (place, member) = (comparison / windows.each(), comparison % windows.each());
                    assert_eq!(cell_table[place], position as i64);
                    let neighbour = windows.members(place / windows.window_positions()).nth(member).unwrap();
                    let far = |a: usize, b: usize| a.abs_diff(b) <= reach;
                    assert!(
                        far(position / columns, neighbour / columns)
                            && far(position % columns, neighbour % columns)
                    );
                }
                let mut different = comparisons.to_vec();
                different.sort_unstable();
                different.dedup();
                let reached =
                    |at: usize, length: usize| (0..length).filter(|x| x.abs_diff(at) <= reach).count();
                let expected = reached(position / columns, rows) * reached(position % columns, columns);
                assert_eq!(different.len(), expected);
            }
        }
    }
}
