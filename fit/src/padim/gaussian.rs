//! A Gaussian for each position: sums while images pass, then mean and whitening matrix.

use crate::whitening::inverse_factor;

/// Share of the mean variance below which no direction's variance is taken to lie: rounding noise must not decide.
const VARIANCE_FLOOR: f64 = 1e-4;

/// Running sums for `positions` Gaussians of `dimensions` values.
#[derive(Debug, Clone)]
pub struct Gaussians {
    dimensions: usize,
    full: bool,
    count: f64,
    /// The first vector of each position is subtracted before summing: large means must not drown small variances.
    origin: Vec<f32>,
    sum: Vec<f64>,
    /// Sums of products, positions × dimensions × dimensions, or of squares alone.
    products: Vec<f64>,
}

impl Gaussians {
    /// With full covariances, or with their diagonals only.
    #[must_use]
    pub fn new(positions: usize, dimensions: usize, full: bool) -> Self {
        let each = if full { dimensions * dimensions } else { dimensions };
        Self {
            dimensions,
            full,
            count: 0.0,
            origin: vec![],
            sum: vec![0.0; positions * dimensions],
            products: vec![0.0; positions * each],
        }
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
        let sums = self.sum.chunks_exact_mut(d).zip(self.products.chunks_exact_mut(each));
        for ((vector, origin), (sum, products)) in positions.zip(sums) {
            for ((c, x), o) in centred.iter_mut().zip(vector).zip(origin) {
                *c = f64::from(x - o);
            }
            sum.iter_mut().zip(&centred).for_each(|(s, x)| *s += x);
            if self.full {
                for (row, a) in products.chunks_exact_mut(d).zip(&centred) {
                    row.iter_mut().zip(&centred).for_each(|(p, b)| *p += a * b);
                }
            } else {
                products.iter_mut().zip(&centred).for_each(|(p, x)| *p += x * x);
            }
        }
    }

    /// The mean of each position, and what turns a centred row vector into one whose squared length is its squared
    /// Mahalanobis distance: positions × d × d (upper triangular), or positions × d factors.
    ///
    /// Covariances are Σ = (1 − shrinkage) S + shrinkage · v̄ I, with v̄ the mean variance of the position.
    #[must_use]
    pub fn finish(&self, shrinkage: f64) -> (Vec<f32>, Vec<f32>) {
        let d = self.dimensions;
        let n = self.count.max(1.0);
        let shift: Vec<f64> = self.sum.iter().map(|s| s / n).collect();
        let mean = shift.iter().zip(&self.origin).map(|(s, &o)| (s + f64::from(o)) as f32).collect();
        // The unbiased estimate; one image alone has no variance.
        let degrees = (self.count - 1.0).max(1.0);
        let overall = self.overall_variance(&shift, n, degrees).max(f64::MIN_POSITIVE);
        let each = if self.full { d * d } else { d };
        let mut whitening = Vec::with_capacity(self.products.len());
        for (position, products) in self.products.chunks_exact(each).enumerate() {
            let shift = &shift[position * d..(position + 1) * d];
            if self.full {
                let at = |i: usize, j: usize| (products[i * d + j] - n * shift[i] * shift[j]) / degrees;
                let average = (0..d).map(|i| at(i, i).max(0.0)).sum::<f64>() / d as f64;
                let floor = shrinkage * average + VARIANCE_FLOOR * overall;
                let mut covariance: Vec<f64> =
                    (0..d * d).map(|i| (1.0 - shrinkage) * at(i / d, i % d)).collect();
                (0..d).for_each(|i| covariance[i * d + i] += floor);
                whitening.extend(inverse_factor(&covariance, d));
            } else {
                let variance = |i: usize| ((products[i] - n * shift[i] * shift[i]) / degrees).max(0.0);
                let average = (0..d).map(variance).sum::<f64>() / d as f64;
                let floor = shrinkage * average + VARIANCE_FLOOR * overall;
                let factor = |i| (1.0 / ((1.0 - shrinkage) * variance(i) + floor).sqrt()) as f32;
                whitening.extend((0..d).map(factor));
            }
        }
        (mean, whitening)
    }

    /// The mean variance over all positions and dimensions.
    fn overall_variance(&self, shift: &[f64], n: f64, degrees: f64) -> f64 {
        let d = self.dimensions;
        let step = if self.full { d + 1 } else { 1 };
        let each = if self.full { d * d } else { d };
        let squares = self.products.chunks_exact(each).flat_map(|products| products.iter().step_by(step));
        let total: f64 = squares.zip(shift).map(|(p, s)| ((p - n * s * s) / degrees).max(0.0)).sum();
        total / shift.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    const D: usize = 3;

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

    /// v Σ⁻¹ vᵀ by Cramer's rule.
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
        let mut full = Gaussians::new(2, D, true);
        images.iter().for_each(|image| full.add(image));
        let (mean, whitening) = full.finish(shrinkage);
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
        let mut diagonal = Gaussians::new(2, D, false);
        images.iter().for_each(|image| diagonal.add(image));
        let (_, factors) = diagonal.finish(0.0);
        let first = || images.iter().map(|image| f64::from(image[0]));
        let mean = first().sum::<f64>() / 40.0;
        let variance = first().map(|x| (x - mean).powi(2)).sum::<f64>() / 39.0;
        assert!((f64::from(factors[0]) - 1.0 / variance.sqrt()).abs() < 1e-2);
    }

    #[test]
    fn one_image_and_identical_ones_stay_finite() {
        for count in [1, 5] {
            for full in [false, true] {
                let mut g = Gaussians::new(2, D, full);
                (0..count).for_each(|_| g.add(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
                let (mean, whitening) = g.finish(0.1);
                assert_eq!(mean, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
                assert!(whitening.iter().all(|x| !x.is_nan()), "{count} {full}");
            }
        }
    }
}
