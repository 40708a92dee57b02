//! A Gaussian for each position: running sums over images, then means and whitening matrices.

use super::cells::Cells;
use bundle::whitening::inverse_factor;

/// Minimum variance of a direction, as a share of the mean variance: rounding noise must not decide.
const VARIANCE_FLOOR: f64 = 1e-4;

/// Running sums for a Gaussian of `dimensions` values at each position of a grid, each with its own mean and a covariance shared
/// by the positions of a cell.
#[derive(Debug, Clone)]
pub struct GaussianSums {
    dimensions: usize,
    full: bool,
    cells: Cells,
    count: f64,
    /// The first vector of each position is subtracted before summing: large means must not drown small variances.
    origin: Vec<f32>,
    sum: Vec<f64>,
    /// Sums of products, cells × dimensions × dimensions, with 0 below the diagonal; or only sums of squares.
    products: Vec<f64>,
}

impl GaussianSums {
    /// Starts without images, for full covariances or only their diagonals.
    #[must_use]
    pub fn new(cells: Cells, dimensions: usize, full: bool) -> Self {
        let each = if full { dimensions * dimensions } else { dimensions };
        Self {
            dimensions,
            full,
            cells,
            count: 0.0,
            origin: vec![],
            sum: vec![0.0; cells.positions() * dimensions],
            products: vec![0.0; cells.count() * each],
        }
    }

    /// Starts without images, for vectors whose means are small beside their deviations: such sums can be merged.
    #[must_use]
    pub fn around_zero(cells: Cells, dimensions: usize, full: bool) -> Self {
        let origin = vec![0.0; cells.positions() * dimensions];
        Self { origin, ..Self::new(cells, dimensions, full) }
    }

    /// Adds the images of `other`; both started by [`Self::around_zero`] with the same arguments.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(self.cells == other.cells && self.origin == other.origin);
        self.count += other.count;
        self.sum.iter_mut().zip(&other.sum).for_each(|(sum, x)| *sum += x);
        self.products.iter_mut().zip(&other.products).for_each(|(product, x)| *product += x);
    }

    /// Adds an image: positions × dimensions values.
    pub fn add(&mut self, vectors: &[f32]) {
        if self.origin.is_empty() {
            self.origin = vectors.to_vec();
        }
        let d = self.dimensions;
        let each = if self.full { d * d } else { d };
        self.count += 1.0;
        let mut centred = vec![0f64; d];
        let positions = vectors.chunks_exact(d).zip(self.origin.chunks_exact(d));
        for (position, ((vector, origin), sum)) in positions.zip(self.sum.chunks_exact_mut(d)).enumerate() {
            let cell = self.cells.of(position);
            let products = &mut self.products[cell * each..(cell + 1) * each];
            for ((c, x), o) in centred.iter_mut().zip(vector).zip(origin) {
                *c = f64::from(x - o);
            }
            sum.iter_mut().zip(&centred).for_each(|(s, x)| *s += x);
            if self.full {
                // Only the upper triangle: the lower one mirrors it.
                for (i, row) in products.chunks_exact_mut(d).enumerate() {
                    let a = centred[i];
                    row[i..].iter_mut().zip(&centred[i..]).for_each(|(p, b)| *p += a * b);
                }
            } else {
                products.iter_mut().zip(&centred).for_each(|(p, x)| *p += x * x);
            }
        }
    }

    /// Returns the mean of each position, and for each cell the factor that turns a centred row vector into one whose squared
    /// length is its squared Mahalanobis distance: cells × d × d (upper triangular), or cells × d factors.
    ///
    /// Covariances are Σ = (1 − shrinkage) S + shrinkage · v̄ I, with S the covariance of the deviations from each position's
    /// own mean over all positions of the cell, and v̄ their mean variance. If `trusted` is given, S is first shrunk towards the
    /// mean S of all cells, which has the same weight as the cell's own S if that many images were seen.
    #[must_use]
    pub fn finish(&self, shrinkage: f64, trusted: Option<f64>) -> (Vec<f32>, Vec<f32>) {
        let d = self.dimensions;
        let n = self.count.max(1.0);
        let shift: Vec<f64> = self.sum.iter().map(|s| s / n).collect();
        let mean = shift.iter().zip(&self.origin).map(|(s, &o)| (s + f64::from(o)) as f32).collect();
        let mut covariances = self.covariances(&shift, n);
        let step = if self.full { d + 1 } else { 1 };
        let each = if self.full { d * d } else { d };
        if let Some(trusted) = trusted {
            draw_to_mean(&mut covariances, each, n / (n + trusted));
        }
        let average = |s: &[f64]| s.iter().step_by(step).map(|v| v.max(0.0)).sum::<f64>() / d as f64;
        let all = covariances.chunks_exact(each);
        let overall = all.clone().map(average).sum::<f64>() / self.cells.count().max(1) as f64;
        let least = VARIANCE_FLOOR * overall.max(f64::MIN_POSITIVE);
        let mut whitening = Vec::with_capacity(covariances.len());
        for s in all {
            let floor = shrinkage * average(s) + least;
            if self.full {
                let mut covariance: Vec<f64> = s.iter().map(|x| (1.0 - shrinkage) * x).collect();
                covariance.iter_mut().step_by(d + 1).for_each(|variance| *variance += floor);
                whitening.extend(inverse_factor(&covariance, d));
            } else {
                let factor = |v: &f64| (1.0 / ((1.0 - shrinkage) * v.max(0.0) + floor).sqrt()) as f32;
                whitening.extend(s.iter().map(factor));
            }
        }
        (mean, whitening)
    }

    /// Computes each cell's unbiased S, or its diagonal. `shift` holds the positions' means minus their origins, over `n`
    /// images.
    fn covariances(&self, shift: &[f64], n: f64) -> Vec<f64> {
        let d = self.dimensions;
        let each = if self.full { d * d } else { d };
        let mut covariances = self.products.clone();
        if self.full {
            covariances.chunks_exact_mut(each).for_each(|s| mirror(s, d));
        }
        for (position, shift) in shift.chunks_exact(d).enumerate() {
            let cell = self.cells.of(position);
            let s = &mut covariances[cell * each..(cell + 1) * each];
            if self.full {
                for (row, a) in s.chunks_exact_mut(d).zip(shift) {
                    row.iter_mut().zip(shift).for_each(|(s, b)| *s -= n * a * b);
                }
            } else {
                s.iter_mut().zip(shift).for_each(|(s, x)| *s -= n * x * x);
            }
        }
        // A single image has no variance.
        let degrees = (self.count - 1.0).max(1.0) * self.cells.each() as f64;
        covariances.iter_mut().for_each(|s| *s /= degrees);
        covariances
    }
}

/// Copies the upper triangle to the lower one.
fn mirror(square: &mut [f64], d: usize) {
    for row in 1..d {
        for column in 0..row {
            square[row * d + column] = square[column * d + row];
        }
    }
}

/// Replaces each block of `each` values by `own` times itself plus the remaining share of the blocks' mean.
fn draw_to_mean(blocks: &mut [f64], each: usize, own: f64) {
    let mut mean = vec![0.0; each];
    let count = (blocks.len() / each).max(1) as f64;
    for block in blocks.chunks_exact(each) {
        mean.iter_mut().zip(block).for_each(|(m, x)| *m += x / count);
    }
    for block in blocks.chunks_exact_mut(each) {
        block.iter_mut().zip(&mean).for_each(|(x, m)| *x = own * *x + (1.0 - own) * m);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::seeded::Seeded;

    const D: usize = 3;

    /// Two positions with separate covariances.
    fn apart() -> Cells {
        Cells::new(1, 2, 1).unwrap()
    }

    fn images(count: usize) -> Vec<Vec<f32>> {
        let mut random = Seeded::new(2, 0);
        let mut draw = || random.below(2001) as f32 / 1000.0 - 1.0;
        (0..count)
            .map(|_| {
                (0..2)
                    .flat_map(|p| {
                        let (a, b) = (draw(), draw());
                        [50.0 + a, 2.0 * a + b, b * (p + 1) as f32 + 0.3 * draw()]
                    })
                    .collect()
            })
            .collect()
    }

    /// Computes v Σ⁻¹ vᵀ by Cramer's rule.
    fn mahalanobis(s: [[f64; D]; D], v: [f64; D]) -> f64 {
        let minor = |r: usize, c: usize| {
            let rows: Vec<usize> = (0..D).filter(|&i| i != r).collect();
            let columns: Vec<usize> = (0..D).filter(|&i| i != c).collect();
            s[rows[0]][columns[0]] * s[rows[1]][columns[1]] - s[rows[0]][columns[1]] * s[rows[1]][columns[0]]
        };
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let determinant: f64 = (0..D).map(|c| sign(c) * s[0][c] * minor(0, c)).sum();
        (0..D)
            .flat_map(|r| (0..D).map(move |c| (r, c)))
            .map(|(r, c)| v[r] * sign(r + c) * minor(c, r) / determinant * v[c])
            .sum()
    }

    #[test]
    fn distances_agree_with_the_definition() {
        let images = images(40);
        let shrinkage = 0.1;
        let mut full = GaussianSums::new(apart(), D, true);
        images.iter().for_each(|image| full.add(image));
        let (mean, whitening) = full.finish(shrinkage, None);
        for p in 0..2 {
            let value = |n: usize, i: usize| f64::from(images[n][p * D + i]);
            let m: Vec<f64> = (0..D).map(|i| (0..40).map(|n| value(n, i)).sum::<f64>() / 40.0).collect();
            let mut s = [[0.0; D]; D];
            for (i, row) in s.iter_mut().enumerate() {
                for (j, x) in row.iter_mut().enumerate() {
                    *x = (0..40).map(|n| (value(n, i) - m[i]) * (value(n, j) - m[j])).sum::<f64>() / 39.0;
                }
            }
            let average = (s[0][0] + s[1][1] + s[2][2]) / 3.0;
            for (i, row) in s.iter_mut().enumerate() {
                row.iter_mut().for_each(|x| *x *= 1.0 - shrinkage);
                row[i] += shrinkage * average;
            }
            let v = [0.7, -0.4, 1.1];
            let w = &whitening[p * D * D..];
            let ours: f64 =
                (0..D).map(|c| (0..D).map(|r| v[r] * f64::from(w[r * D + c])).sum::<f64>().powi(2)).sum();
            let expected = mahalanobis(s, v);
            assert!((ours - expected).abs() < 2e-3 * expected, "{ours} {expected}");
            (0..D).for_each(|i| assert!((f64::from(mean[p * D + i]) - m[i]).abs() < 1e-5));
        }
    }

    #[test]
    fn a_diagonal_leaves_out_what_lies_beside_it() {
        let images = images(40);
        let mut diagonal = GaussianSums::new(apart(), D, false);
        images.iter().for_each(|image| diagonal.add(image));
        let (_, factors) = diagonal.finish(0.0, None);
        let first = || images.iter().map(|image| f64::from(image[0]));
        let mean = first().sum::<f64>() / 40.0;
        let variance = first().map(|x| (x - mean).powi(2)).sum::<f64>() / 39.0;
        assert!((f64::from(factors[0]) - 1.0 / variance.sqrt()).abs() < 1e-2);
    }

    #[test]
    fn positions_of_a_cell_share_a_covariance_but_no_mean() {
        let images = images(40);
        let mut apart = GaussianSums::new(Cells::new(2, 2, 1).unwrap(), D, false);
        let mut shared = GaussianSums::new(Cells::new(2, 2, 2).unwrap(), D, false);
        for pair in images.chunks_exact(2) {
            apart.add(&pair.concat());
            shared.add(&pair.concat());
        }
        let ((own_means, own), (means, factors)) = (apart.finish(0.0, None), shared.finish(0.0, None));
        assert_eq!(own_means, means);
        assert_eq!((own.len(), factors.len()), (4 * D, D));
        for i in 0..D {
            let variance = (0..4).map(|p| f64::from(own[p * D + i]).powi(-2)).sum::<f64>() / 4.0;
            assert!((f64::from(factors[i]).powi(-2) - variance).abs() < 1e-2 * variance, "{i}");
        }
    }

    #[test]
    fn merged_sums_are_those_of_all_images() {
        let images = images(40);
        let start = || GaussianSums::around_zero(apart(), D, true);
        let (mut whole, mut merged, mut rest) = (start(), start(), start());
        images.iter().for_each(|image| whole.add(image));
        images[..15].iter().for_each(|image| merged.add(image));
        images[15..].iter().for_each(|image| rest.add(image));
        merged.merge(&rest);
        let mut anywhere = GaussianSums::new(apart(), D, true);
        images.iter().for_each(|image| anywhere.add(image));
        let [whole, merged, anywhere] = [whole, merged, anywhere].map(|sums| sums.finish(0.1, Some(20.0)));
        for (a, (b, c)) in whole.1.iter().zip(merged.1.iter().zip(&anywhere.1)) {
            assert!((a - b).abs() < 1e-4 && (a - c).abs() < 1e-4, "{a} {b} {c}");
        }
        assert!(whole.0.iter().zip(&merged.0).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn few_images_draw_covariances_together() {
        let variances = |count: usize, trusted| {
            let mut g = GaussianSums::new(apart(), D, false);
            images(count).iter().for_each(|image| g.add(image));
            let (_, factors) = g.finish(0.0, trusted);
            [factors[2].powi(-2), factors[D + 2].powi(-2)]
        };
        // The third dimension varies twice as far at the second position.
        let [[own, other], [few, few_other]] = [None, Some(20.0)].map(|trusted| variances(20, trusted));
        let mean = (own + other) / 2.0;
        assert!((few - (own + mean) / 2.0).abs() < 1e-3 * mean, "{few} {own} {mean}");
        assert!((few_other - (other + mean) / 2.0).abs() < 1e-3 * mean, "{few_other} {other} {mean}");
    }

    #[test]
    fn one_image_and_identical_ones_stay_finite() {
        for count in [1, 5] {
            for full in [false, true] {
                let mut g = GaussianSums::new(apart(), D, full);
                (0..count).for_each(|_| g.add(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
                let (mean, whitening) = g.finish(0.1, None);
                assert_eq!(mean, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
                assert!(whitening.iter().all(|x| !x.is_nan()), "{count} {full}");
            }
        }
    }
}
