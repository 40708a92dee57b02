//! A picture as a grid of cells.

/// Values in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct CellGrid {
    /// Columns and rows.
    pub sides: [usize; 2],
    /// columns × rows values.
    pub values: Vec<f32>,
}

impl CellGrid {
    /// Creates a grid with one cell per pixel of a picture.
    pub const fn new(sides: [usize; 2], values: Vec<f32>) -> Self {
        Self { sides, values }
    }

    /// Returns the same picture in fewer cells, each the mean of the area that it covers.
    pub fn downsample(&self, sides: [usize; 2]) -> Self {
        let [columns, rows] = sides;
        let [from_columns, from_rows] = self.sides;
        let across = cell_weights(from_columns, columns);
        let down = cell_weights(from_rows, rows);
        let mut wide = Vec::with_capacity(columns * from_rows);
        for row in self.values.chunks_exact(from_columns.max(1)) {
            wide.extend(across.iter().map(|cell| cell.mean(row.iter().skip(cell.first))));
        }
        let mut values = Vec::with_capacity(columns * rows);
        for cell in &down {
            for column in 0..columns {
                let below = wide.iter().skip(cell.first * columns + column).step_by(columns.max(1));
                values.push(cell.mean(below));
            }
        }
        Self { sides, values }
    }
}

/// The range of a row or column that a cell covers, with the weight of each pixel.
struct Cell {
    first: usize,
    weights: Vec<f32>,
}

impl Cell {
    fn mean<'v>(&self, values: impl Iterator<Item = &'v f32>) -> f32 {
        self.weights.iter().zip(values).map(|(weight, value)| weight * value).sum()
    }
}

/// Divides a side of `from` pixels into cells.
fn cell_weights(from: usize, cells: usize) -> Vec<Cell> {
    let length = from as f64 / cells as f64;
    (0..cells)
        .map(|cell| {
            let (start, end) = (cell as f64 * length, (cell as f64 + 1.0) * length);
            let first = start as usize;
            let last = (end.ceil() as usize).clamp(first + 1, from.max(first + 1));
            let weight = |pixel: usize| {
                let covered = end.min(pixel as f64 + 1.0) - start.max(pixel as f64);
                (covered.max(0.0) / length) as f32
            };
            Cell { first, weights: (first..last).map(weight).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_means_of_what_they_cover() {
        let picture = CellGrid::new([4, 2], vec![1.0, 3.0, 5.0, 7.0, 1.0, 3.0, 5.0, 7.0]);
        assert_eq!(picture.downsample([2, 1]).values, [2.0, 6.0]);
        // A cell of 4/3 pixels covers a third of its second pixel.
        let thirds = picture.downsample([3, 2]).values;
        assert!((thirds[0] - 1.5).abs() < 1e-6 && (thirds[1] - 4.0).abs() < 1e-6, "{thirds:?}");
        assert_eq!(picture.downsample([4, 2]), picture);
    }
}
