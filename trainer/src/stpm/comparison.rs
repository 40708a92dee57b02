//! Compares the student's levels with the teacher's.

use networks::onnx::{GraphBuilder, Value};
use networks::{Network, StateError, Weights};
use tch::{Kind, Tensor};

use crate::channels::{Channels, measure, standardised};
use crate::method::TrainError;
use crate::samples::Samples;

/// A vector shorter than this keeps its direction but isn't scaled to the full length 1.
const UNIT_LENGTH_FLOOR: f64 = 1e-12;

/// How two feature vectors are compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// The paper's: their directions, ‖t/‖t‖ − s/‖s‖‖².
    Directions,
    /// Ours: the mean of ((tᵢ − mᵢ)/dᵢ − sᵢ)², with mᵢ and dᵢ mean and deviation of the teacher's channel i on good parts, of each
    /// level. mᵢ is 0 in a level that is never below 0.
    Channels(Vec<Channels>),
}

impl Comparison {
    /// Measures the teacher's channels on the fit images, for our comparison; returns `None` if a stop was requested.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn measured(network: &Network, fit: &mut Samples) -> Result<Option<Self>, TrainError> {
        let levels = |levels: &[Tensor]| levels.iter().map(Tensor::shallow_clone).collect();
        let Some(mut channels) = measure(fit, levels)? else { return Ok(None) };
        for (channels, &level) in channels.iter_mut().zip(&network.levels) {
            // The student's level can't be below 0 there either.
            if network.is_rectified(level) {
                channels.mean.fill(0.0);
            }
        }
        Ok(Some(Self::Channels(channels)))
    }

    /// Computes the student's targets from the teacher's levels, N×C×h×w each, in 32-bit floats.
    #[must_use]
    pub fn targets(&self, teacher: &[Tensor]) -> Vec<Tensor> {
        match self {
            Self::Directions => teacher.iter().map(unit_length).collect(),
            Self::Channels(levels) => {
                teacher.iter().zip(levels).map(|(level, channels)| channels.normalise(level)).collect()
            }
        }
    }

    /// Computes the residuals of the student's levels, N×C×h×w each, in 32-bit floats: what [`Self::targets`] differ from them.
    #[must_use]
    pub fn residuals(&self, targets: &[Tensor], student: &[Tensor]) -> Vec<Tensor> {
        let pairs = targets.iter().zip(student);
        pairs
            .map(|(target, level)| {
                let target = target.to_kind(Kind::Float);
                match self {
                    Self::Directions => target - unit_length(level),
                    Self::Channels(_) => target - level.to_kind(Kind::Float),
                }
            })
            .collect()
    }

    /// Computes the distances of the student's levels from [`Self::targets`], N×1×h×w each, in 32-bit floats.
    #[must_use]
    pub fn distances(&self, targets: &[Tensor], student: &[Tensor]) -> Vec<Tensor> {
        let distance = |residual: &Tensor| {
            let (square, axis) = (residual.square(), [1i64]);
            match self {
                Self::Directions => square.sum_dim_intlist(axis.as_slice(), true, Kind::Float),
                Self::Channels(_) => square.mean_dim(axis.as_slice(), true, Kind::Float),
            }
        };
        self.residuals(targets, student).iter().map(distance).collect()
    }

    /// Adds the residuals of these levels, 1×C×h×w each, to a model.
    pub(super) fn add_residuals(
        &self,
        g: &mut GraphBuilder,
        teacher: &[Value],
        student: &[Value],
    ) -> Vec<Value> {
        let pairs = teacher.iter().zip(student).enumerate();
        pairs
            .map(|(level, (t, s))| match self {
                Self::Directions => {
                    let (t, s) = (direction(g, t), direction(g, s));
                    g.sub(&t, &s)
                }
                Self::Channels(levels) => {
                    let Some(channels) = levels.get(level) else { return t.clone() };
                    let t = standardised(g, t, channels, &level_name(level));
                    g.sub(&t, s)
                }
            })
            .collect()
    }

    /// Adds the distances of residuals.
    pub(super) fn add_distances(&self, g: &mut GraphBuilder, residuals: &[Value]) -> Vec<Value> {
        let distance = |residual: &Value| {
            let square = g.mul(residual, residual);
            let sum = g.sum_channels(&square);
            match self {
                Self::Directions => sum,
                Self::Channels(_) => {
                    let share = g.scalar(1.0 / residual.shape()[1] as f32);
                    g.mul(&sum, &share)
                }
            }
        };
        residuals.iter().map(distance).collect()
    }

    /// Adds it to a student's state.
    pub fn add_to(&self, state: &mut Weights) {
        if let Self::Channels(levels) = self {
            levels
                .iter()
                .enumerate()
                .for_each(|(level, channels)| channels.add_to(state, &level_name(level)));
        }
    }

    /// Reads what [`Self::add_to`] wrote, for `levels` levels.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn from_state(state: &Weights, levels: usize) -> Result<Self, StateError> {
        let counts: Vec<usize> = (0..levels)
            .filter_map(|level| state.get(&format!("{}.mean", level_name(level))).map(|mean| mean.data.len()))
            .collect();
        if counts.is_empty() {
            return Ok(Self::Directions);
        }
        let channels = (0..levels).map(|level| {
            Channels::from_state(state, &level_name(level), counts.get(level).copied().unwrap_or_default())
        });
        channels.collect::<Result<_, _>>().map(Self::Channels)
    }
}

/// Scales each position's feature vector (axis 1) to length 1, in 32-bit floats.
fn unit_length(features: &Tensor) -> Tensor {
    let features = features.to_kind(Kind::Float);
    let square = (&features * &features).sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
    // The floor comes before the root: at 0 the root's slope is infinite, and the gradient would be NaN.
    features / square.clamp_min(UNIT_LENGTH_FLOOR * UNIT_LENGTH_FLOOR).sqrt()
}

/// Returns a level's name in a run's state.
pub(super) fn level_name(level: usize) -> String {
    format!("level_{}", level + 1)
}

fn direction(g: &mut GraphBuilder, x: &Value) -> Value {
    let square = g.mul(x, x);
    let sum = g.sum_channels(&square);
    let length = g.sqrt(&sum);
    let floor = g.scalar(UNIT_LENGTH_FLOOR as f32);
    let length = g.max(&length, &floor);
    g.div(x, &length)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn a_vector_of_zeros_has_a_finite_gradient() {
        let features = Tensor::zeros([1, 4, 2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        unit_length(&features).sum(Kind::Float).backward();
        assert!(features.grad().isfinite().all().int64_value(&[]) == 1);
    }

    #[test]
    fn channels_count_alike_whatever_their_scale() {
        let channels = Channels { mean: vec![1.0, -10.0], deviation: vec![0.5, 20.0] };
        let comparison = Comparison::Channels(vec![channels]);
        let teacher = Tensor::from_slice(&[2f32, 30.0]).reshape([1, 2, 1, 1]);
        let targets = comparison.targets(&[teacher]);
        let student = Tensor::from_slice(&[2f32, 5.0]).reshape([1, 2, 1, 1]);
        assert_eq!(comparison.distances(&targets, &[student])[0].double_value(&[0, 0, 0, 0]), 4.5);
    }

    #[test]
    fn what_is_kept_is_found_again() {
        for comparison in [
            Comparison::Directions,
            Comparison::Channels(vec![Channels { mean: vec![1.0, 2.0], deviation: vec![0.5, 4.0] }; 3]),
        ] {
            let mut state = Weights::new();
            comparison.add_to(&mut state);
            assert_eq!(Comparison::from_state(&state, 3), Ok(comparison));
            if state.remove("level_2.deviation").is_some() {
                assert!(Comparison::from_state(&state, 3).is_err());
            }
        }
    }
}
