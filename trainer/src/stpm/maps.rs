//! From feature levels to distances, and what normal distances look like.

use networks::{Array, Network, StateError, Weights};
use tch::{Kind, Tensor};

use crate::samples::unit_length;
use crate::torch::to_array;

/// Share of the mean deviation that is added to each position's deviation: a position that hardly varied in a small
/// sample must not decide alone.
const DEVIATION_FLOOR: f64 = 0.1;

/// Squared distances of the student's levels from the teacher's, N×1×h×w each, 0..4, in 32-bit floats: both are scaled
/// to unit length along the channels. `targets` have unit length already.
#[must_use]
pub fn distances(targets: &[Tensor], student: &[Tensor]) -> Vec<Tensor> {
    let pairs = targets.iter().zip(student);
    pairs
        .map(|(target, level)| {
            let difference = target.to_kind(Kind::Float) - unit_length(level);
            (&difference * &difference).sum_dim_intlist([1i64].as_slice(), true, Kind::Float)
        })
        .collect()
}

/// What a level's distance is on normals, position by position.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelStatistics {
    /// Mean distance, 1×1×h×w.
    pub mean: Array,
    /// Standard deviation with its floor, 1×1×h×w; nowhere 0.
    pub deviation: Array,
}

/// The statistics of all levels, finest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    /// One for each level.
    pub levels: Vec<LevelStatistics>,
}

impl Scoring {
    /// Reads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// Names what is missing.
    pub fn from_weights(weights: &Weights, network: &Network) -> Result<Self, StateError> {
        let get = |name: String| weights.get(&name).cloned().ok_or_else(|| StateError::missing(name));
        let level = |index: usize| {
            let level =
                LevelStatistics { mean: get(mean_name(index))?, deviation: get(deviation_name(index))? };
            let usable = level.mean.shape == level.deviation.shape
                && level.mean.data.iter().all(|x| x.is_finite())
                && level.deviation.data.iter().all(|x| x.is_finite() && *x > 0.0);
            if usable { Ok(level) } else { Err(StateError::values(mean_name(index))) }
        };
        Ok(Self { levels: (0..network.levels.len()).map(level).collect::<Result<_, StateError>>()? })
    }

    /// Adds the statistics to a student's weights.
    pub fn add_to(&self, weights: &mut Weights) {
        for (index, level) in self.levels.iter().enumerate() {
            weights.insert(mean_name(index), level.mean.clone());
            weights.insert(deviation_name(index), level.deviation.clone());
        }
    }
}

fn mean_name(level: usize) -> String {
    format!("scoring.{level}.mean")
}

fn deviation_name(level: usize) -> String {
    format!("scoring.{level}.deviation")
}

/// Accumulates distances of normals.
#[derive(Debug, Default)]
pub struct Moments {
    count: f64,
    /// Sum and sum of squares of each level, in 64-bit floats.
    sums: Vec<(Tensor, Tensor)>,
}

impl Moments {
    /// Adds the distances of a batch, N×1×h×w each.
    pub fn add(&mut self, distances: &[Tensor]) {
        for (index, distance) in distances.iter().enumerate() {
            let d = distance.to_kind(Kind::Double);
            let over_batch = |x: &Tensor| x.sum_dim_intlist([0i64].as_slice(), true, Kind::Double);
            let (sum, squares) = (over_batch(&d), over_batch(&(&d * &d)));
            if index == 0 {
                self.count += d.size()[0] as f64;
            }
            match self.sums.get_mut(index) {
                Some(sums) => {
                    sums.0 += sum;
                    sums.1 += squares;
                }
                None => self.sums.push((sum, squares)),
            }
        }
    }

    /// The statistics of what was added.
    #[must_use]
    pub fn finish(&self) -> Scoring {
        let level = |(sum, squares): &(Tensor, Tensor)| {
            let mean = sum / self.count;
            let variance =
                (squares - &mean * &mean * self.count).clamp_min(0.0) / (self.count - 1.0).max(1.0);
            let deviation = variance.sqrt();
            // The last addend only matters where all normals are the same image.
            let floor =
                deviation.mean(Kind::Double) * DEVIATION_FLOOR + mean.mean(Kind::Double) * 1e-3 + 1e-9;
            LevelStatistics { mean: to_array(&mean), deviation: to_array(&(deviation + floor)) }
        };
        Scoring { levels: self.sums.iter().map(level).collect() }
    }
}
