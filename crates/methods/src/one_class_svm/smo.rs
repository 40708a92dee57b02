//! Solves the dual problem of a one-class support vector machine by sequential minimal optimisation.
//!
//! The problem (Schölkopf, Platt, Shawe-Taylor, Smola, Williamson: *Estimating the Support of a High-Dimensional
//! Distribution*, 2001): minimise ½ Σ αᵢ αⱼ k(xᵢ, xⱼ) with 0 ≤ αᵢ ≤ 1/(νn) and Σ αᵢ = 1. Each step changes the two weights that
//! promise the largest decrease (Fan, Chen, Lin: *Working Set Selection Using Second Order Information for Training Support
//! Vector Machines*, 2005), so it needs two rows of the kernel and no other memory.

use crate::features::squared_distance;

/// A solution is accepted if no pair of weights violates the conditions of optimality by more than this share of the largest
/// gradient.
const TOLERANCE: f64 = 1e-5;
/// Steps per sample after which the solution is taken as it is.
const STEPS_PER_SAMPLE: usize = 200;
/// Smallest curvature along a step: copies of a sample have none.
const MIN_CURVATURE: f64 = 1e-12;

/// A symmetric matrix of the kernel's values for every two samples.
#[derive(Debug, Clone)]
pub struct KernelMatrix {
    side: usize,
    values: Vec<f32>,
}

impl KernelMatrix {
    /// Computes exp(−`gamma` · |a − b|²) for every two of the samples, which have `dimensions` values each.
    #[must_use]
    pub fn rbf(samples: &[f32], dimensions: usize, gamma: f64) -> Self {
        let side = samples.len() / dimensions;
        let mut values = vec![1.0; side * side];
        for (i, a) in samples.chunks_exact(dimensions).enumerate() {
            for (j, b) in samples.chunks_exact(dimensions).enumerate().take(i) {
                let value = (-gamma * f64::from(squared_distance(a, b))).exp() as f32;
                values[i * side + j] = value;
                values[j * side + i] = value;
            }
        }
        Self { side, values }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.side..(index + 1) * self.side]
    }
}

/// The solution.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The weight α of each sample; their sum is 1.
    pub weights: Vec<f64>,
    /// The boundary ρ: a sample x with Σ αᵢ k(xᵢ, x) < ρ lies outside.
    pub boundary: f64,
    /// Whether the conditions of optimality hold, up to the tolerance.
    pub converged: bool,
}

/// Solves the problem with 0 < `nu` ≤ 1: at most that share of the samples lies outside, and at least that share become support
/// vectors. Without samples, the solution is empty.
#[must_use]
pub fn solve(kernel: &KernelMatrix, nu: f64) -> Solution {
    let most = (1.0 / (nu * kernel.side as f64)).min(1.0);
    let mut state = State::start(kernel, most);
    let mut converged = false;
    for _ in 0..kernel.side.saturating_mul(STEPS_PER_SAMPLE) {
        let Some((grows, shrinks)) = state.pair() else {
            converged = true;
            break;
        };
        state.step(grows, shrinks);
    }
    converged = converged || state.pair().is_none();
    Solution { boundary: state.boundary(), weights: state.weights, converged }
}

struct State<'a> {
    kernel: &'a KernelMatrix,
    /// The largest weight.
    most: f64,
    weights: Vec<f64>,
    /// Σ αⱼ k(xᵢ, xⱼ) for each sample i.
    gradient: Vec<f64>,
}

impl<'a> State<'a> {
    /// Starts with the first samples at the largest weight.
    fn start(kernel: &'a KernelMatrix, most: f64) -> Self {
        let (mut weights, mut rest) = (vec![0.0; kernel.side], 1.0);
        let mut gradient = vec![0.0; kernel.side];
        for (index, weight) in weights.iter_mut().enumerate() {
            if rest <= 0.0 {
                break;
            }
            *weight = most.min(rest);
            rest -= *weight;
            let row = kernel.row(index);
            gradient.iter_mut().zip(row).for_each(|(g, &k)| *g += *weight * f64::from(k));
        }
        Self { kernel, most, weights, gradient }
    }

    /// Returns the sample whose weight should grow and the one whose weight should shrink; `None` at the optimum.
    fn pair(&self) -> Option<(usize, usize)> {
        let growing = (0..self.weights.len()).filter(|&i| self.weights[i] < self.most);
        let grows = growing.min_by(|&a, &b| self.gradient[a].total_cmp(&self.gradient[b]))?;
        let scale = self.gradient.iter().copied().fold(0.0, f64::max);
        let (row, least) = (self.kernel.row(grows), self.gradient[grows]);
        let (mut best, mut worst_violation) = (None, 0f64);
        for (index, (weight, gradient)) in self.weights.iter().zip(&self.gradient).enumerate() {
            let violation = gradient - least;
            if *weight <= 0.0 || violation <= 0.0 {
                continue;
            }
            worst_violation = worst_violation.max(violation);
            let decrease = violation * violation / curvature(row, index);
            if best.is_none_or(|(_, most)| decrease > most) {
                best = Some((index, decrease));
            }
        }
        let (shrinks, _) = best?;
        (worst_violation > TOLERANCE * scale).then_some((grows, shrinks))
    }

    /// Moves as much weight from one sample to the other as decreases the objective most.
    fn step(&mut self, grows: usize, shrinks: usize) {
        let curvature = curvature(self.kernel.row(grows), shrinks);
        let wanted = (self.gradient[shrinks] - self.gradient[grows]) / curvature;
        let (room, available) = (self.most - self.weights[grows], self.weights[shrinks]);
        let moved = wanted.min(room).min(available);
        // At a bound, the weight is exactly the bound.
        self.weights[grows] = if moved >= room { self.most } else { self.weights[grows] + moved };
        self.weights[shrinks] = if moved >= available { 0.0 } else { self.weights[shrinks] - moved };
        let rows = self.kernel.row(grows).iter().zip(self.kernel.row(shrinks));
        for (gradient, (&a, &b)) in self.gradient.iter_mut().zip(rows) {
            *gradient += moved * (f64::from(a) - f64::from(b));
        }
    }

    /// Returns ρ: the mean gradient of the samples on the boundary or, without such samples, the middle between those inside and
    /// those outside.
    fn boundary(&self) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        let (mut outside, mut inside) = (f64::NEG_INFINITY, f64::INFINITY);
        for (&weight, &gradient) in self.weights.iter().zip(&self.gradient) {
            if weight <= 0.0 {
                inside = inside.min(gradient);
            } else if weight >= self.most {
                outside = outside.max(gradient);
            } else {
                (sum, count) = (sum + gradient, count + 1.0);
            }
        }
        match (outside.is_finite(), inside.is_finite()) {
            _ if count > 0.0 => sum / count,
            (true, true) => f64::midpoint(outside, inside),
            (true, false) => outside,
            (false, true) => inside,
            (false, false) => 1.0,
        }
    }
}

/// Returns the curvature of the objective along a step from the sample of this kernel row to another one; the kernel of a sample
/// with itself is 1.
fn curvature(row: &[f32], other: usize) -> f64 {
    (2.0 - 2.0 * f64::from(row[other])).max(MIN_CURVATURE)
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    /// Points around two centres, and a few far away.
    fn points(count: usize) -> Vec<f32> {
        let mut random = Seeded::new(3, 0);
        let mut draw = || random.below(2001) as f32 / 1000.0 - 1.0;
        (0..count)
            .flat_map(|i| {
                let centre = if i % 3 == 0 { 4.0 } else { 0.0 };
                let spread = if i % 20 == 0 { 6.0 } else { 1.0 };
                [centre + spread * draw(), spread * draw(), spread * draw()]
            })
            .collect()
    }

    #[test]
    fn the_conditions_of_optimality_hold() {
        let points = points(200);
        for (nu, gamma) in [(0.01, 0.1), (0.05, 1.0), (0.3, 0.05), (0.5, 10.0), (1.0, 1.0)] {
            let kernel = KernelMatrix::rbf(&points, 3, gamma);
            let Solution { weights, boundary, converged } = solve(&kernel, nu);
            assert!(converged, "{nu} {gamma}");
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let most = 1.0 / (nu * 200.0);
            let mut outside = 0;
            for (i, &weight) in weights.iter().enumerate() {
                assert!((0.0..=most.min(1.0)).contains(&weight), "{weight} {most}");
                let sum: f64 = (0..200).map(|j| weights[j] * f64::from(kernel.row(i)[j])).sum();
                let slack = 2.0 * TOLERANCE;
                // Inside: no weight. Outside: the largest. On the boundary: anything.
                assert!(weight == 0.0 || sum <= boundary + slack, "{i}: {weight} {sum} {boundary}");
                assert!(weight == most || sum >= boundary - slack, "{i}: {weight} {sum} {boundary}");
                outside += usize::from(sum < boundary - slack);
            }
            let support = weights.iter().filter(|weight| **weight > 0.0).count();
            assert!(
                outside as f64 <= nu * 200.0 && support as f64 >= nu * 200.0 - 1e-9,
                "{outside} {support}"
            );
        }
    }

    #[test]
    fn one_two_and_equal_samples() {
        let solve = |points: &[f32], nu| solve(&KernelMatrix::rbf(points, 1, 0.5), nu);
        assert_eq!(solve(&[7.0], 0.05), Solution { weights: vec![1.0], boundary: 1.0, converged: true });
        let two = solve(&[0.0, 1.0], 0.05);
        assert!(two.converged && two.weights.iter().all(|w| (w - 0.5).abs() < 1e-4), "{two:?}");
        let equal = solve(&[2.0; 30], 0.1);
        assert!(equal.converged && (equal.boundary - 1.0).abs() < 1e-9, "{equal:?}");
        let none = solve(&[], 0.1);
        assert!(none.weights.is_empty() && none.boundary.is_finite());
    }
}
