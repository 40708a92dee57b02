//! The reference at one resolution.

use shared_format::alignment::Motion;

use super::grid::CellGrid;
use super::rigid_transform::RigidTransform;

/// Maximum number of steps at one level.
const MAX_ITERATIONS: usize = 12;
/// Stop after a step that moves no cell by more than this share of a cell.
const MIN_STEP_CELLS: f64 = 0.04;
/// Maximum length of a step, in cells.
const MAX_STEP_CELLS: f64 = 2.0;
/// A movement shifts by at most this share of a side …
const MAX_SHIFT: f64 = 0.2;
/// … and turns by at most about 12 degrees: the tangent of half the angle.
const MAX_TURN: f64 = 0.105;
/// A picture with less variance than this, with values from 0 to 255, counts as uniform.
const MIN_VARIANCE: f64 = 1e-6;
/// The share of the reference's cells that aren't ignored that must lie within the picture.
const MIN_OVERLAP: f64 = 0.5;

/// The reference in cells, with how each cell's value changes when the picture moves.
#[derive(Debug)]
pub struct PyramidLevel {
    sides: [usize; 2],
    /// The picture's sides in pixels.
    input: [f64; 2],
    /// Width and height of a cell in pixels.
    cell: [f64; 2],
    values: Vec<f32>,
    /// Whether each cell is ignored; empty if none is.
    ignored: Vec<bool>,
    /// Number of cells that aren't ignored.
    judged: usize,
    /// Per pixel to the right, per pixel down, per radian.
    slopes: Vec<[f64; 3]>,
}

/// Statistics of the reference's cells and of the picture's values at the same cells.
struct CorrelationStats {
    mean: [f64; 2],
    variance: [f64; 2],
    covariance: f64,
}

impl CorrelationStats {
    fn correlation(&self) -> f64 {
        self.covariance / (self.variance[0] * self.variance[1]).sqrt()
    }
}

impl PyramidLevel {
    /// Creates a level for pictures of `input` pixels. `ignored` says which of the reference's cells don't count, row by row;
    /// empty if all do.
    pub fn new(reference: &CellGrid, ignored: Vec<bool>, input: [usize; 2]) -> Self {
        let [columns, rows] = reference.sides;
        let input = input.map(|side| side as f64);
        let cell = [input[0] / columns.max(1) as f64, input[1] / rows.max(1) as f64];
        let at = |column: usize, row: usize| {
            reference.values.get(row * columns + column).map_or(0.0, |&value| f64::from(value))
        };
        let (sides, values) = (reference.sides, reference.values.clone());
        let judged = values.len() - ignored.iter().filter(|ignored| **ignored).count().min(values.len());
        let mut level = Self { sides, input, cell, values, ignored, judged, slopes: vec![] };
        for row in 0..rows {
            for column in 0..columns {
                let slope = |before: f64, after: f64, steps: usize| (after - before) / steps.max(1) as f64;
                let (left, right) = (column.saturating_sub(1), (column + 1).min(columns - 1));
                let (above, below) = (row.saturating_sub(1), (row + 1).min(rows - 1));
                let across = slope(at(left, row), at(right, row), right - left) / cell[0];
                let down = slope(at(column, above), at(column, below), below - above) / cell[1];
                let [x, y] = level.cell_centre(column, row);
                let [x, y] = [x - (input[0] - 1.0) / 2.0, y - (input[1] - 1.0) / 2.0];
                level.slopes.push([across, down, down * x - across * y]);
            }
        }
        level
    }

    /// Returns the number of columns and rows.
    pub const fn sides(&self) -> [usize; 2] {
        self.sides
    }

    /// Returns the width and height of a cell in pixels.
    pub const fn cell(&self) -> [f64; 2] {
        self.cell
    }

    /// Returns the normalised correlation, −1..1, of the reference with a picture moved by `movement`; `None` if the two overlap
    /// too little, or one of them is uniform.
    pub fn correlation(
        &self,
        picture: &CellGrid,
        movement: RigidTransform,
        scratch: &mut Vec<f32>,
    ) -> Option<f64> {
        Some(self.correlate(picture, movement, scratch)?.correlation())
    }

    /// Refines `start` in steps, and returns the best movement found and its correlation.
    pub fn refine(
        &self,
        picture: &CellGrid,
        start: RigidTransform,
        motion: Motion,
        scratch: &mut Vec<f32>,
    ) -> Option<(RigidTransform, f64)> {
        let mut stats = self.correlate(picture, start, scratch)?;
        let mut best = (start, stats.correlation());
        let mut movement = start;
        for _ in 0..MAX_ITERATIONS {
            let Some([x, y, angle]) = self.step(&stats, motion, scratch) else { break };
            movement = movement.compose_inverse([x, y], angle);
            // A broken part may pull it anywhere; only positions within the limits count.
            if !self.is_near(movement) {
                break;
            }
            let Some(next) = self.correlate(picture, movement, scratch) else { break };
            stats = next;
            if stats.correlation() > best.1 {
                best = (movement, stats.correlation());
            }
            let turned = angle.abs() * self.input[0].max(self.input[1]) / 2.0;
            if (x.abs() + turned) / self.cell[0] < MIN_STEP_CELLS
                && (y.abs() + turned) / self.cell[1] < MIN_STEP_CELLS
            {
                break;
            }
        }
        Some(best)
    }

    /// Returns whether the movement is within the limits.
    fn is_near(&self, movement: RigidTransform) -> bool {
        let near = |shift: f64, side: f64| shift.abs() <= MAX_SHIFT * side;
        let ([x, y], [width, height]) = (movement.shift, self.input);
        near(x, width) && near(y, height) && movement.turn.abs() <= MAX_TURN
    }

    /// Returns the centre of a cell, in pixels.
    fn cell_centre(&self, column: usize, row: usize) -> [f64; 2] {
        [(column as f64 + 0.5) * self.cell[0] - 0.5, (row as f64 + 0.5) * self.cell[1] - 0.5]
    }

    /// Fills `scratch` with the picture's value at each cell; NaN beyond its edges and at ignored cells.
    fn correlate(
        &self,
        picture: &CellGrid,
        movement: RigidTransform,
        scratch: &mut Vec<f32>,
    ) -> Option<CorrelationStats> {
        scratch.clear();
        let [columns, rows] = self.sides;
        let (mut count, mut sums, mut squares, mut products) = (0.0, [0.0; 2], [0.0; 2], 0.0);
        let mut cells = self.values.iter();
        let mut ignored = self.ignored.iter();
        for row in 0..rows {
            for column in 0..columns {
                let [x, y] = movement.apply(self.cell_centre(column, row), self.input);
                let at = [(x + 0.5) / self.cell[0] - 0.5, (y + 0.5) / self.cell[1] - 0.5];
                let its = if ignored.next() == Some(&true) { None } else { value_at(picture, at) };
                scratch.push(its.unwrap_or(f32::NAN));
                let (Some(&own), Some(its)) = (cells.next(), its) else { continue };
                let (own, its) = (f64::from(own), f64::from(its));
                count += 1.0;
                sums = [sums[0] + own, sums[1] + its];
                squares = [squares[0] + own * own, squares[1] + its * its];
                products += own * its;
            }
        }
        if count < MIN_OVERLAP * self.judged as f64 {
            return None;
        }
        let mean = sums.map(|sum| sum / count);
        let variance = [squares[0] / count - mean[0] * mean[0], squares[1] / count - mean[1] * mean[1]];
        let covariance = products / count - mean[0] * mean[1];
        // Below this, the picture is uniform except for rounding.
        let varies = |variance: f64| variance > MIN_VARIANCE;
        variance.into_iter().all(varies).then_some(CorrelationStats { mean, variance, covariance })
    }

    /// Computes the Gauss-Newton step, in pixels and radians, from what [`Self::correlate`] left in `scratch`.
    fn step(&self, stats: &CorrelationStats, motion: Motion, scratch: &[f32]) -> Option<[f64; 3]> {
        let gain = (stats.variance[0] / stats.variance[1]).sqrt();
        let mut normal = [[0.0; 3]; 3];
        let mut sums = [0.0; 3];
        for ((&own, &its), slope) in self.values.iter().zip(scratch).zip(&self.slopes) {
            if its.is_nan() {
                continue;
            }
            let difference = (f64::from(its) - stats.mean[1]) * gain - (f64::from(own) - stats.mean[0]);
            for ((line, sum), a) in normal.iter_mut().zip(&mut sums).zip(slope) {
                *sum += a * difference;
                line.iter_mut().zip(slope).for_each(|(cell, b)| *cell += a * b);
            }
        }
        if motion == Motion::Shift {
            normal[2] = [0.0, 0.0, 1.0];
            (normal[0][2], normal[1][2], sums[2]) = (0.0, 0.0, 0.0);
        }
        let [x, y, angle] = solve_symmetric(normal, sums)?;
        let length = (x.abs() / self.cell[0]).max(y.abs() / self.cell[1]);
        let shortened = (MAX_STEP_CELLS / length.max(MAX_STEP_CELLS)).min(1.0);
        Some([x * shortened, y * shortened, angle * shortened])
    }
}

/// Interpolates between four cells; `None` beyond the edges.
fn value_at(picture: &CellGrid, [x, y]: [f64; 2]) -> Option<f32> {
    let [columns, rows] = picture.sides;
    if !(x >= 0.0 && y >= 0.0 && x <= columns as f64 - 1.0 && y <= rows as f64 - 1.0) {
        return None;
    }
    let (left, top) = ((x as usize).min(columns.saturating_sub(2)), (y as usize).min(rows.saturating_sub(2)));
    let (right, below) = ((x - left as f64) as f32, (y - top as f64) as f32);
    let [first, second] = [top, top + 1].map(|row| picture.values.get(row * columns + left..));
    let (&[a, b, ..], &[c, d, ..]) = (first?, second?) else { return None };
    let (upper, lower) = (a + (b - a) * right, c + (d - c) * right);
    Some(upper + (lower - upper) * below)
}

/// Solves three symmetric equations by Cholesky decomposition; `None` if there is no solution.
fn solve_symmetric(mut m: [[f64; 3]; 3], mut v: [f64; 3]) -> Option<[f64; 3]> {
    // Scaled so that pixels and radians have equal weight.
    let scale = [m[0][0], m[1][1], m[2][2]].map(f64::sqrt);
    if scale.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return None;
    }
    for (line, (value, own)) in m.iter_mut().zip(v.iter_mut().zip(&scale)) {
        line.iter_mut().zip(&scale).for_each(|(cell, other)| *cell /= own * other);
        *value /= own;
    }
    let [[a, b, c], [_, d, e], [_, _, f]] = m;
    // Cholesky factors of a matrix with ones on its diagonal.
    let l00 = a.sqrt();
    let (l10, l20) = (b / l00, c / l00);
    let l11 = (d - l10 * l10).sqrt();
    let l21 = (e - l20 * l10) / l11;
    let l22 = (f - l20 * l20 - l21 * l21).sqrt();
    let y0 = v[0] / l00;
    let y1 = (v[1] - l10 * y0) / l11;
    let y2 = (v[2] - l20 * y0 - l21 * y1) / l22;
    let x2 = y2 / l22;
    let x1 = (y1 - l21 * x2) / l11;
    let x0 = (y0 - l10 * x1 - l20 * x2) / l00;
    let x = [x0 / scale[0], x1 / scale[1], x2 / scale[2]];
    x.iter().all(|value| value.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::solve_symmetric;

    #[test]
    fn equations_are_solved() {
        let (m, x) = ([[4.0, 1.0, 2.0], [1.0, 3.0, 0.5], [2.0, 0.5, 9.0]], [1.0, -2.0, 3.0]);
        let v = m.map(|line: [f64; 3]| line.iter().zip(&x).map(|(a, b)| a * b).sum());
        let found = solve_symmetric(m, v).unwrap();
        assert!(found.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(solve_symmetric([[0.0; 3]; 3], [1.0; 3]), None);
    }
}
