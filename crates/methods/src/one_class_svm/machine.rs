//! A one-class support vector machine with a radial basis function as its kernel.

use std::borrow::Cow;

use networks::{Array, ModelState, StateError};

use super::smo::{KernelMatrix, Solution, solve};
use crate::features::squared_distance;

/// Samples that a machine is fitted to at most: their kernel takes 16 MiB.
pub(super) const SAMPLES: usize = 2048;
/// Samples that the median distance is taken from.
const MEDIAN_OF: usize = 256;
/// Minimum of the median squared distance per dimension: if all samples are alike, rounding noise must not set the kernel's width.
const MIN_SQUARE: f64 = 1e-6;
/// A sample with less weight, as a share of the largest possible one, is not a support vector.
const MIN_WEIGHT: f64 = 1e-6;
/// Minimum of −ln ρ: if all samples are alike, the boundary would lie at distance 0.
const MIN_LOG: f64 = 1e-3;

const VECTORS: &str = "support.vectors";
const WEIGHTS: &str = "support.weights";
const GAMMA: &str = "support.gamma";
const BOUNDARY: &str = "support.boundary";

/// How a machine is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The largest share of the samples outside.
    pub nu: f64,
    /// The kernel's γ, as a multiple of 1 / the median squared distance of two samples.
    pub gamma: f64,
    /// Maximum number of support vectors.
    pub most: usize,
}

/// A fitted machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The values of a sample.
    pub dimensions: usize,
    /// The support vectors s: count × dimensions.
    pub vectors: Vec<f32>,
    /// The weight α of each; their sum is 1.
    pub weights: Vec<f32>,
    /// The kernel is exp(−γ|x − s|²).
    pub gamma: f64,
    /// −ln ρ, above which −ln Σ α k(s, x) lies outside.
    pub boundary: f64,
}

impl Machine {
    /// Fits to samples in random order, with `dimensions` values each; `None` without samples.
    ///
    /// If there are more support vectors than allowed, fewer of the samples are used: a machine of a part of the samples is exact,
    /// while one whose support vectors were thinned out would be none.
    #[must_use]
    pub fn fit(samples: &[f32], dimensions: usize, settings: Settings) -> Option<Self> {
        let most = settings.most.max(1);
        let all = samples.len().checked_div(dimensions).filter(|&count| count > 0)?;
        let gamma = settings.gamma / median_square(samples, dimensions);
        let mut count = all.min(SAMPLES);
        loop {
            let used = &samples[..count * dimensions];
            let solution = solve(&KernelMatrix::rbf(used, dimensions, gamma), settings.nu);
            let floor = MIN_WEIGHT / (settings.nu * count as f64).max(1.0);
            let support: Vec<usize> = (0..count).filter(|&i| solution.weights[i] > floor).collect();
            if support.len() <= most || count <= most {
                return Some(Self::of(&solution, &support, used, dimensions, gamma));
            }
            count = (count * most / support.len()).clamp(most, count - 1);
        }
    }

    fn of(solution: &Solution, support: &[usize], samples: &[f32], dimensions: usize, gamma: f64) -> Self {
        let vector = |&i: &usize| &samples[i * dimensions..(i + 1) * dimensions];
        let sum: f64 = support.iter().map(|&i| solution.weights[i]).sum();
        Self {
            dimensions,
            vectors: support.iter().flat_map(vector).copied().collect(),
            weights: support.iter().map(|&i| (solution.weights[i] / sum) as f32).collect(),
            gamma,
            boundary: (-solution.boundary.ln()).max(MIN_LOG),
        }
    }

    /// Returns the number of support vectors.
    #[must_use]
    pub fn count(&self) -> usize {
        self.weights.len()
    }

    /// Describes it for people.
    pub(super) fn summary(&self) -> String {
        let (count, dimensions) = (self.count(), self.dimensions);
        format!(
            "{count} support vectors × {dimensions} dimensions ({} KiB)",
            count * (dimensions + 1) * 4 / 1024
        )
    }

    /// Adds it to a state.
    pub(super) fn store(&self, state: &mut ModelState) {
        let (count, dimensions) = (self.count(), self.dimensions);
        let vectors = Array { shape: vec![count, dimensions], data: self.vectors.clone() };
        let weights = Array { shape: vec![count], data: self.weights.clone() };
        state.weights.extend([(VECTORS.to_owned(), vectors), (WEIGHTS.to_owned(), weights)]);
        let notes = [(GAMMA, self.gamma), (BOUNDARY, self.boundary)];
        state.notes.extend(notes.map(|(name, value)| (name.to_owned(), value.to_string())));
    }

    /// Restores it from a state, for samples with `dimensions` values.
    pub(super) fn restore(state: &ModelState, dimensions: usize) -> Result<Self, StateError> {
        let get = |name: &'static str| state.weights.get(name).ok_or(StateError::missing(name));
        let (vectors, weights) = (get(VECTORS)?, get(WEIGHTS)?);
        let count = weights.data.len();
        if count == 0 || weights.shape != [count] || vectors.shape != [count, dimensions] {
            return Err(StateError::Sides("support vectors"));
        }
        let positive = |value: &f64| value.is_finite() && *value > 0.0;
        let number = |name: &'static str| {
            state.number(name).filter(positive).ok_or(StateError::Values(Cow::Borrowed(name)))
        };
        if vectors.data.iter().any(|x| !x.is_finite()) {
            return Err(StateError::values(VECTORS));
        }
        if weights.data.iter().any(|weight| !(weight.is_finite() && *weight > 0.0)) {
            return Err(StateError::values(WEIGHTS));
        }
        let (vectors, weights) = (vectors.data.clone(), weights.data.clone());
        Ok(Self { dimensions, vectors, weights, gamma: number(GAMMA)?, boundary: number(BOUNDARY)? })
    }
}

/// Returns the median squared distance of every two of the first samples.
fn median_square(samples: &[f32], dimensions: usize) -> f64 {
    let first: Vec<&[f32]> = samples.chunks_exact(dimensions).take(MEDIAN_OF).collect();
    let mut squares: Vec<f32> = vec![];
    for (index, a) in first.iter().enumerate() {
        squares.extend(first.iter().take(index).map(|b| squared_distance(a, b)));
    }
    let middle = squares.len() / 2;
    squares.sort_unstable_by(f32::total_cmp);
    let median = squares.get(middle).copied().map_or(dimensions as f64, f64::from);
    median.max(MIN_SQUARE * dimensions as f64)
}

#[cfg(test)]
mod tests {
    use bundle::seeded::Seeded;

    use super::*;

    const SETTINGS: Settings = Settings { nu: 0.05, gamma: 1.0, most: 64 };

    fn samples(count: usize) -> Vec<f32> {
        let mut random = Seeded::new(3, 0);
        (0..count * 6).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect()
    }

    /// Computes −ln Σ α k(s, x) / −ln ρ.
    fn outside(machine: &Machine, x: &[f32]) -> f64 {
        let pairs = machine.weights.iter().zip(machine.vectors.chunks_exact(machine.dimensions));
        let sum: f64 = pairs
            .map(|(&w, s)| f64::from(w) * (-machine.gamma * f64::from(squared_distance(x, s))).exp())
            .sum();
        -sum.ln() / machine.boundary
    }

    #[test]
    fn support_vectors_are_bounded_and_few_samples_lie_outside() {
        let samples = samples(3000);
        for gamma in [0.25, 1.0, 20.0] {
            let machine = Machine::fit(&samples, 6, Settings { gamma, ..SETTINGS }).unwrap();
            assert!((1..=64).contains(&machine.count()), "{gamma}: {}", machine.count());
            let far = samples.chunks_exact(6).filter(|x| outside(&machine, x) > 1.0).count();
            // A narrow kernel, whose support vectors are all samples used, knows no others.
            assert!(gamma > 1.0 || far < 450, "{gamma}: {far}");
            assert!(outside(&machine, &[3.0; 6]) > 2.0, "{gamma}: {}", outside(&machine, &[3.0; 6]));
        }
    }

    #[test]
    fn one_two_five_and_equal_samples_give_finite_machines() {
        let mut some = samples(5);
        for count in [1, 2, 5] {
            let machine = Machine::fit(&some[..count * 6], 6, SETTINGS).unwrap();
            let x = outside(&machine, &[0.1; 6]);
            assert!(x.is_finite() && x > 0.0 && machine.boundary >= MIN_LOG, "{count}: {machine:?}");
        }
        some.fill(1.5);
        let machine = Machine::fit(&some, 6, SETTINGS).unwrap();
        assert!(
            outside(&machine, &[1.5; 6]).abs() < 1e-6 && outside(&machine, &[1.6; 6]) > 1.0,
            "{machine:?}"
        );
        assert!(Machine::fit(&[], 6, SETTINGS).is_none());
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let machine = Machine::fit(&samples(20), 6, SETTINGS).unwrap();
        let mut state = ModelState::default();
        machine.store(&mut state);
        assert_eq!(Machine::restore(&state, 6).as_ref(), Ok(&machine));
        assert!(Machine::restore(&state, 5).is_err());
        for (name, value) in [(GAMMA, "0"), (GAMMA, "wide"), (BOUNDARY, "NaN"), (BOUNDARY, "-1")] {
            let mut damaged = state.clone();
            damaged.notes.insert(name.to_owned(), value.to_owned());
            assert!(Machine::restore(&damaged, 6).is_err(), "{name} {value}");
        }
        for (name, value) in [(VECTORS, f32::NAN), (WEIGHTS, 0.0), (WEIGHTS, f32::INFINITY)] {
            let mut damaged = state.clone();
            damaged.weights.get_mut(name).unwrap().data[0] = value;
            assert!(Machine::restore(&damaged, 6).is_err(), "{name} {value}");
            damaged.weights.remove(name);
            assert!(Machine::restore(&damaged, 6).is_err(), "no {name}");
        }
    }
}
