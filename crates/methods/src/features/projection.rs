//! Reduces dimensions: features are centred, levels are balanced, and the result is projected onto the directions in which
//! normals vary most.
//!
//! Distances hardly change, and the nearest-neighbour search, whose cost grows with the number of dimensions, gets cheaper.
//! Centring keeps the squared distances, |a|² − 2ab + |b|², from cancelling in 32-bit floats.

use std::ops::Range;

use bundle::seeded::Seeded;
use networks::Array;
use networks::onnx::{GraphBuilder, Value};

/// Rounds of orthogonal iteration. Directions of nearly equal variance need not be separated: only their span matters.
const ROUNDS: usize = 30;
const STREAM: u64 = 0x9a07;

/// Sums from which the mean and the covariance are computed.
#[derive(Debug, Clone)]
pub struct Moments {
    channels: usize,
    count: f64,
    /// Subtracted before summing, so that large means don't drown small variances; the first vector.
    origin: Vec<f32>,
    sum: Vec<f64>,
    products: Vec<f64>,
}

impl Moments {
    /// Starts without vectors.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            count: 0.0,
            origin: vec![],
            sum: vec![0.0; channels],
            products: vec![0.0; channels * channels],
        }
    }

    /// Adds vectors, `channels` values each.
    pub fn add(&mut self, vectors: &[f32]) {
        if self.origin.is_empty() {
            self.origin = vectors[..self.channels].to_vec();
        }
        // Products are summed in 32 bits over only a few vectors, then in 64 bits.
        let mut partial = vec![0f32; self.channels * self.channels];
        for few in vectors.chunks(64 * self.channels) {
            partial.fill(0.0);
            for vector in few.chunks_exact(self.channels) {
                let centred: Vec<f32> = vector.iter().zip(&self.origin).map(|(x, o)| x - o).collect();
                for (row, &a) in partial.chunks_exact_mut(self.channels).zip(&centred) {
                    row.iter_mut().zip(&centred).for_each(|(sum, &b)| *sum += a * b);
                }
                self.sum.iter_mut().zip(&centred).for_each(|(sum, &x)| *sum += f64::from(x));
                self.count += 1.0;
            }
            self.products.iter_mut().zip(&partial).for_each(|(sum, &x)| *sum += f64::from(x));
        }
    }

    /// Returns the mean and the covariance (row-major) of the added vectors.
    #[must_use]
    pub fn finish(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.count.max(1.0);
        let shift: Vec<f64> = self.sum.iter().map(|s| s / n).collect();
        let origin = self.origin.iter().copied().map(f64::from).chain(std::iter::repeat(0.0));
        let mean = shift.iter().zip(origin).map(|(s, o)| s + o).collect();
        let c = self.channels;
        let covariance = (0..c * c).map(|i| self.products[i] / n - shift[i / c] * shift[i % c]).collect();
        (mean, covariance)
    }
}

/// An affine map of feature vectors: `matrix · (x − mean)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Number of output dimensions.
    pub outputs: usize,
    /// The normals' mean feature.
    pub mean: Vec<f32>,
    /// outputs × channels, row-major; each level's share of the channels is scaled to equal variance.
    pub matrix: Vec<f32>,
}

impl Projection {
    /// Fits the directions of largest variance, after scaling each group of channels (a level) to a total variance of 1.
    /// `groups` are the levels' channels, in order.
    #[must_use]
    pub fn fit(moments: &Moments, groups: &[usize], outputs: usize, seed: u64) -> Self {
        let (mean, mut covariance) = moments.finish();
        let channels = mean.len();
        let outputs = outputs.min(channels);
        let scale = group_scales(&covariance, channels, groups);
        for (i, value) in covariance.iter_mut().enumerate() {
            *value *= scale[i / channels] * scale[i % channels];
        }
        let basis = leading_directions(&covariance, channels, outputs, seed);
        let matrix =
            basis.chunks_exact(channels).flat_map(|row| row.iter().zip(&scale).map(|(x, s)| (x * s) as f32));
        Self { outputs, mean: mean.iter().map(|&m| m as f32).collect(), matrix: matrix.collect() }
    }

    /// Returns random orthonormal rows, outputs × channels.
    #[must_use]
    pub fn orthonormal(channels: usize, outputs: usize, random: &mut Seeded) -> Vec<f32> {
        random_rows(channels, outputs, random).iter().map(|&x| x as f32).collect()
    }

    /// Projects vectors of the features' channels.
    #[must_use]
    pub fn apply(&self, vectors: &[f32]) -> Vec<f32> {
        let channels = self.mean.len();
        let mut centred = vec![0f32; channels];
        let mut out = Vec::with_capacity(vectors.len() / channels * self.outputs);
        for vector in vectors.chunks_exact(channels) {
            centred.iter_mut().zip(vector).zip(&self.mean).for_each(|((c, x), m)| *c = x - m);
            out.extend(self.matrix.chunks_exact(channels).map(|row| dot(row, &centred)));
        }
        out
    }

    /// Adds a node for this range of channels' contribution to the projection: 1×channels×h×w → 1×outputs×h×w. The sum over
    /// ranges that cover all channels is the projection.
    pub(super) fn add_part(
        &self,
        graph: &mut GraphBuilder,
        features: &Value,
        channels: Range<usize>,
        name: &str,
    ) -> Value {
        let rows = || self.matrix.chunks_exact(self.mean.len()).map(|row| &row[channels.clone()]);
        let mean = &self.mean[channels.clone()];
        let centre =
            |row: &[f32]| -> f64 { row.iter().zip(mean).map(|(x, m)| f64::from(*x) * f64::from(*m)).sum() };
        let bias: Vec<f32> = rows().map(|row| -centre(row) as f32).collect();
        let name = |part: &str| format!("{name}.{}.{part}", channels.start);
        let matrix = graph.constant(
            &name("matrix"),
            &[self.outputs, channels.len(), 1, 1],
            &rows().collect::<Vec<_>>().concat(),
        );
        let bias = graph.constant(&name("bias"), &[self.outputs], &bias);
        graph.conv(features, &matrix, &bias, 1, (0, 0), 1)
    }

    /// Returns the mean and the matrix as arrays.
    #[must_use]
    pub fn to_arrays(&self) -> [Array; 2] {
        let channels = self.mean.len();
        [
            Array { shape: vec![channels], data: self.mean.clone() },
            Array { shape: vec![self.outputs, channels], data: self.matrix.clone() },
        ]
    }

    /// Restores a projection from [`Self::to_arrays`]; `None` if the shapes don't fit.
    #[must_use]
    pub fn from_arrays(mean: &Array, matrix: &Array) -> Option<Self> {
        let (&[channels], &[outputs, across]) = (&mean.shape[..], &matrix.shape[..]) else { return None };
        let fits = across == channels && outputs > 0 && channels > 0;
        fits.then(|| Self { outputs, mean: mean.data.clone(), matrix: matrix.data.clone() })
    }
}

/// Computes the inner product in eight sums that a compiler can vectorise.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (x, y) in a8.0.iter().zip(b8.0) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a8.1.iter().zip(b8.1).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Computes the inner product of 64-bit values like [`dot`].
fn dot_f64(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0f64; 8];
    let (a8, b8) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (x, y) in a8.0.iter().zip(b8.0) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a8.1.iter().zip(b8.1).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}

/// Computes |a − b|² in eight sums that a compiler can vectorise.
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (x, y) in a8.0.iter().zip(b8.0) {
        for lane in 0..8 {
            let d = x[lane] - y[lane];
            sums[lane] += d * d;
        }
    }
    let rest: f32 = a8.1.iter().zip(b8.1).map(|(x, y)| (x - y) * (x - y)).sum();
    sums.iter().sum::<f32>() + rest
}

/// Returns, for each channel, 1 / √(total variance of its group); 1 for a group that never varies.
fn group_scales(covariance: &[f64], channels: usize, groups: &[usize]) -> Vec<f64> {
    let variance: Vec<f64> = (0..channels).map(|i| covariance[i * channels + i].max(0.0)).collect();
    let mut scales = Vec::with_capacity(channels);
    for &group in groups {
        let total: f64 = variance[scales.len()..scales.len() + group].iter().sum();
        let scale = if total > 0.0 { 1.0 / total.sqrt() } else { 1.0 };
        scales.resize(scales.len() + group, scale);
    }
    scales.resize(channels, 1.0);
    scales
}

/// Computes an orthonormal basis (outputs × channels) of the subspace with the largest variance, by orthogonal iteration.
fn leading_directions(covariance: &[f64], channels: usize, outputs: usize, seed: u64) -> Vec<f64> {
    let mut random = Seeded::new(seed, STREAM);
    let mut basis = random_rows(channels, outputs, &mut random);
    let all = outputs == channels;
    for _ in 0..if all { 0 } else { ROUNDS } {
        let mut next = vec![0.0; basis.len()];
        for (row, out) in basis.chunks_exact(channels).zip(next.chunks_exact_mut(channels)) {
            for (&x, line) in row.iter().zip(covariance.chunks_exact(channels)) {
                out.iter_mut().zip(line).for_each(|(sum, c)| *sum += x * c);
            }
        }
        // If normals vary in fewer directions than requested, the others keep their previous values.
        for (row, old) in next.chunks_exact_mut(channels).zip(basis.chunks_exact(channels)) {
            row.iter_mut().zip(old).for_each(|(x, o)| *x += 1e-12 * o);
        }
        basis = next;
        orthonormalise(&mut basis, channels);
    }
    basis
}

/// Returns orthonormal rows of random direction.
fn random_rows(channels: usize, outputs: usize, random: &mut Seeded) -> Vec<f64> {
    // Sums of uniform numbers are close enough to Gaussian for the direction to be unbiased.
    let mut normal = || (0..6).map(|_| random.below(1 << 24) as f64 / f64::from(1 << 24) - 0.5).sum();
    let mut rows: Vec<f64> = (0..outputs * channels).map(|_| normal()).collect();
    orthonormalise(&mut rows, channels);
    rows
}

/// Orthonormalises rows of `length` values by applying modified Gram–Schmidt twice.
fn orthonormalise(rows: &mut [f64], length: usize) {
    for _ in 0..2 {
        for index in 0..rows.len() / length {
            let (before, from) = rows.split_at_mut(index * length);
            let row = &mut from[..length];
            for other in before.chunks_exact(length) {
                let along = dot_f64(row, other);
                row.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
            let norm = dot_f64(row, row).sqrt();
            row.iter_mut().for_each(|x| *x /= norm.max(f64::MIN_POSITIVE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors that vary strongly along two directions and hardly along the others.
    fn vectors(count: usize) -> Vec<f32> {
        let mut random = Seeded::new(1, 0);
        let mut draw = || random.below(2001) as f32 / 1000.0 - 1.0;
        (0..count)
            .flat_map(|_| {
                let (a, b) = (3.0 * draw(), 2.0 * draw());
                [100.0 + a + b, a - b, 0.01 * draw(), 5.0 + a, 0.01 * draw()]
            })
            .collect()
    }

    #[test]
    fn moments_agree_with_their_definition() {
        let data = vectors(1000);
        let mut moments = Moments::new(5);
        data.chunks(5 * 300).for_each(|block| moments.add(block));
        let (mean, covariance) = moments.finish();
        let column = |i: usize| data.iter().skip(i).step_by(5).map(|&x| f64::from(x));
        for i in 0..5 {
            let m = column(i).sum::<f64>() / 1000.0;
            assert!((mean[i] - m).abs() < 1e-4, "{i}: {} {m}", mean[i]);
            for j in 0..5 {
                let n = column(j).sum::<f64>() / 1000.0;
                let c = column(i).zip(column(j)).map(|(x, y)| (x - m) * (y - n)).sum::<f64>() / 1000.0;
                assert!((covariance[i * 5 + j] - c).abs() < 1e-3, "{i} {j}: {} {c}", covariance[i * 5 + j]);
            }
        }
    }

    #[test]
    fn a_projection_keeps_the_distances_of_what_varies() {
        let data = vectors(1000);
        let mut moments = Moments::new(5);
        moments.add(&data);
        let full = Projection::fit(&moments, &[5], 5, 0);
        let two = Projection::fit(&moments, &[5], 2, 0);
        let distance = |p: &Projection, a: usize, b: usize| {
            let y = p.apply(&[&data[a * 5..a * 5 + 5], &data[b * 5..b * 5 + 5]].concat());
            let (y, z) = y.split_at(p.outputs);
            y.iter().zip(z).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
        };
        for (a, b) in [(0, 1), (5, 900), (17, 333)] {
            assert!((distance(&full, a, b) - distance(&two, a, b)).abs() < 0.01 * distance(&full, a, b));
        }
        // Total variance 1 after scaling, whatever the features' unit.
        let y = full.apply(&data);
        let energy: f32 = y.iter().map(|x| x * x).sum::<f32>() / 1000.0;
        assert!((energy - 1.0).abs() < 1e-3, "{energy}");
    }

    #[test]
    fn identical_vectors_and_more_directions_than_vary() {
        let mut moments = Moments::new(3);
        moments.add(&[1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        let p = Projection::fit(&moments, &[2, 1], 8, 0);
        assert_eq!(p.outputs, 3);
        assert!(p.apply(&[1.0, 2.0, 3.0]).iter().all(|x| x.abs() < 1e-6));
        assert!(p.matrix.iter().all(|x| x.is_finite()));
        let [mean, matrix] = p.to_arrays();
        assert_eq!(Projection::from_arrays(&mean, &matrix), Some(p));
    }
}
