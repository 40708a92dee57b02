//! Resizes and smooths maps by matrices: a separable linear map of a grid is `rows · grid · columnsᵀ`, which every
//! inference engine computes as two matrix products, exactly and fast.

use crate::array::Array;

/// Returns a matrix that resizes an axis of `from` positions to `to`, bilinearly with half-pixel centres
/// (`align_corners=False`), without antialiasing.
#[must_use]
pub fn bilinear(from: usize, to: usize) -> Matrix {
    let mut matrix = Matrix::zeros(to, from);
    for row in 0..to {
        let centre = ((row as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let left = (centre as usize).min(from - 1);
        let share = centre - left as f64;
        *matrix.at(row, left) += 1.0 - share;
        *matrix.at(row, (left + 1).min(from - 1)) += share;
    }
    matrix
}

/// Returns a matrix that smooths an axis of `length` positions by a Gaussian with a standard deviation of `sigma`
/// positions, truncated at 2 `sigma` (rounded up); the last value is repeated beyond the ends. `sigma` 0 changes
/// nothing.
#[must_use]
pub fn gaussian(length: usize, sigma: f64) -> Matrix {
    if sigma <= 0.0 {
        return zero_padded(length, 0);
    }
    let reach = (2.0 * sigma).ceil() as i64;
    let weights: Vec<f64> = (-reach..=reach).map(|d| (-0.5 * (d as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut matrix = Matrix::zeros(length, length);
    for row in 0..length {
        for (weight, d) in weights.iter().zip(-reach..=reach) {
            let column = (row as i64 + d).clamp(0, length as i64 - 1) as usize;
            *matrix.at(row, column) += weight / total;
        }
    }
    matrix
}

/// Returns a matrix that adds `margin` zeros before and after an axis of `length` positions.
#[must_use]
pub fn zero_padded(length: usize, margin: usize) -> Matrix {
    let mut matrix = Matrix::zeros(length + 2 * margin, length);
    for column in 0..length {
        *matrix.at(margin + column, column) = 1.0;
    }
    matrix
}

/// Returns a matrix that repeats the first value `margin` times before an axis of `length` positions, and the last one
/// after it.
#[must_use]
pub fn edge_padded(length: usize, margin: usize) -> Matrix {
    let mut matrix = Matrix::zeros(length + 2 * margin, length);
    for row in 0..length + 2 * margin {
        *matrix.at(row, row.saturating_sub(margin).min(length - 1)) = 1.0;
    }
    matrix
}

/// A dense matrix, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    data: Vec<f64>,
}

impl Matrix {
    fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, data: vec![0.0; rows * columns] }
    }

    fn at(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.data[row * self.columns + column]
    }

    /// Returns `self · other`: first `other`, then `self`. `other` must have as many rows as `self` has columns.
    #[must_use]
    pub fn after(&self, other: &Self) -> Self {
        let mut product = Self::zeros(self.rows, other.columns);
        for row in 0..self.rows {
            for k in 0..self.columns {
                let factor = self.data[row * self.columns + k];
                if factor != 0.0 {
                    for column in 0..other.columns {
                        *product.at(row, column) += factor * other.data[k * other.columns + column];
                    }
                }
            }
        }
        product
    }

    /// Returns `selfᵀ`.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut other = Self::zeros(self.columns, self.rows);
        for row in 0..self.rows {
            for column in 0..self.columns {
                *other.at(column, row) = self.data[row * self.columns + column];
            }
        }
        other
    }

    /// Computes `self · grid · columnsᵀ` for a row-major grid of self's columns × columns' columns.
    #[must_use]
    pub fn apply(&self, grid: &[f32], columns: &Self) -> Vec<f32> {
        let row_of = |matrix: &Self, row: usize| {
            matrix.data[row * matrix.columns..(row + 1) * matrix.columns].to_vec()
        };
        let mut out = Vec::with_capacity(self.rows * columns.rows);
        for row in 0..self.rows {
            let mut line = vec![0.0; columns.columns];
            for (factor, values) in row_of(self, row).iter().zip(grid.chunks_exact(columns.columns)) {
                line.iter_mut().zip(values).for_each(|(sum, &x)| *sum += factor * f64::from(x));
            }
            for column in 0..columns.rows {
                let sum: f64 = row_of(columns, column).iter().zip(&line).map(|(a, b)| a * b).sum();
                out.push(sum as f32);
            }
        }
        out
    }

    /// Returns the matrix as an array of 32-bit floats, rows × columns.
    #[must_use]
    pub fn to_array(&self) -> Array {
        Array { shape: vec![self.rows, self.columns], data: self.data.iter().map(|&x| x as f32).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(matrix: &Matrix, x: &[f64]) -> Vec<f64> {
        matrix.data.chunks(matrix.columns).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
    }

    #[test]
    fn bilinear_has_half_pixel_centres() {
        // The results of PyTorch's interpolate(mode="linear", align_corners=False).
        assert_eq!(apply(&bilinear(2, 4), &[0.0, 1.0]), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(apply(&bilinear(4, 2), &[0.0, 1.0, 2.0, 3.0]), [0.5, 2.5]);
        assert_eq!(bilinear(5, 5), gaussian(5, 1e-3));
        assert_eq!(bilinear(5, 5), gaussian(5, 0.0));
    }

    #[test]
    fn smoothing_keeps_a_constant_and_spreads_an_impulse() {
        let g = gaussian(9, 1.0);
        assert!(apply(&g, &[3.0; 9]).iter().all(|x| (x - 3.0).abs() < 1e-12));
        let mut impulse = [0.0; 9];
        impulse[4] = 1.0;
        let spread = apply(&g, &impulse);
        assert!((spread.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(spread[4] > spread[3] && spread[3] == spread[5] && spread[1] == 0.0);
    }

    #[test]
    fn both_axes_at_once() {
        let grid: Vec<f32> = (0..12).map(|i| (i * i % 7) as f32).collect();
        let (rows, columns) = (bilinear(3, 6), gaussian(4, 1.0));
        let once = rows.apply(&grid, &columns);
        let column = |x: usize| apply(&rows, &[0, 1, 2].map(|y| f64::from(grid[4 * y + x])));
        let tall: Vec<Vec<f64>> = (0..4).map(column).collect();
        for y in 0..6 {
            let line = apply(&columns, &[0, 1, 2, 3].map(|x| tall[x][y]));
            assert!(line.iter().zip(&once[4 * y..]).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-5));
        }
    }

    #[test]
    fn padding_surrounds_with_zeros_or_with_what_is_at_the_edges() {
        assert_eq!(apply(&zero_padded(2, 1), &[3.0, 4.0]), [0.0, 3.0, 4.0, 0.0]);
        assert_eq!(apply(&edge_padded(2, 2), &[3.0, 4.0]), [3.0, 3.0, 3.0, 4.0, 4.0, 4.0]);
    }

    #[test]
    fn products_apply_right_to_left() {
        let (first, then) = (gaussian(4, 1.0), bilinear(4, 8));
        let x = [1.0, -2.0, 0.5, 4.0];
        let both = apply(&then.after(&first), &x);
        let one_by_one = apply(&then, &apply(&first, &x));
        assert!(both.iter().zip(one_by_one).all(|(a, b)| (a - b).abs() < 1e-12));
        assert_eq!(then.transposed().transposed(), then);
    }
}
