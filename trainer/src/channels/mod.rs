//! Mean and deviation of the teacher's channels on good parts.

mod measure;

use networks::onnx::{GraphBuilder, Value};
use networks::{Array, StateError, Weights};
use tch::{Kind, Tensor};

pub use measure::measure;

/// A channel that hardly varies must not be scaled up so that it decides alone: its deviation is at least this share of the
/// channels' mean deviation.
const DEVIATION_FLOOR: f64 = 1e-3;

/// Mean and standard deviation of each channel on the fit images.
#[derive(Debug, Clone, PartialEq)]
pub struct Channels {
    /// C means.
    pub mean: Vec<f32>,
    /// C standard deviations, none of them 0.
    pub deviation: Vec<f32>,
}

impl Channels {
    /// Computes them from sums over all positions: of the features, and of their squared distances from their mean.
    #[must_use]
    pub fn new(mean: &[f64], squares: &[f64], positions: f64) -> Self {
        let deviation: Vec<f64> = squares.iter().map(|s| (s / positions).sqrt()).collect();
        let floor = DEVIATION_FLOOR * deviation.iter().sum::<f64>() / deviation.len() as f64;
        // All images may have the same single colour.
        let floor = floor.max(f64::from(f32::MIN_POSITIVE));
        Self {
            mean: mean.iter().map(|&m| m as f32).collect(),
            deviation: deviation.iter().map(|d| d.max(floor) as f32).collect(),
        }
    }

    /// Adds them to a run's state, under the name `whose`.
    pub fn add_to(&self, state: &mut Weights, whose: &str) {
        for (part, data) in [("mean", &self.mean), ("deviation", &self.deviation)] {
            state.insert(format!("{whose}.{part}"), Array { shape: vec![data.len()], data: data.clone() });
        }
    }

    /// Reads what [`Self::add_to`] wrote, for `count` channels.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn from_state(state: &Weights, whose: &str, count: usize) -> Result<Self, StateError> {
        let get = |part: &str| {
            let name = &format!("{whose}.{part}");
            let array = state.get(name).ok_or_else(|| StateError::missing(name.clone()))?;
            let usable = array.data.len() == count && array.data.iter().all(|x| x.is_finite());
            if usable { Ok(array.data.clone()) } else { Err(StateError::values(name.clone())) }
        };
        let (mean, deviation) = (get("mean")?, get("deviation")?);
        if deviation.iter().any(|d| *d <= 0.0) {
            return Err(StateError::values(format!("{whose}.deviation")));
        }
        Ok(Self { mean, deviation })
    }

    /// Scales features (N×C×h×w, any float format) to mean 0 and deviation 1, in 32-bit floats.
    pub fn normalise(&self, features: &Tensor) -> Tensor {
        let channel =
            |values: &[f32]| Tensor::from_slice(values).reshape([1, -1, 1, 1]).to_device(features.device());
        (features.to_kind(Kind::Float) - channel(&self.mean)) / channel(&self.deviation)
    }
}

/// Adds (x − mean) / deviation of each channel, as a depthwise convolution: one pass in every engine.
pub fn standardised(g: &mut GraphBuilder, x: &Value, channels: &Channels, whose: &str) -> Value {
    let count = channels.mean.len();
    let scale: Vec<f32> = channels.deviation.iter().map(|deviation| 1.0 / deviation).collect();
    let offset: Vec<f32> = channels.mean.iter().zip(&scale).map(|(mean, scale)| -mean * scale).collect();
    let scale = g.constant(&format!("{whose}.scale"), &[count, 1, 1, 1], &scale);
    let offset = g.constant(&format!("{whose}.offset"), &[count], &offset);
    g.conv(x, &scale, &offset, 1, (0, 0), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_out_with_mean_0_and_deviation_1() {
        let features = Tensor::from_slice(&[1f32, 3.0, 5.0, 5.0]).reshape([1, 2, 1, 2]);
        let channels = Channels::new(&[2.0, 5.0], &[2.0, 0.0], 2.0);
        let normal: Vec<f32> = Vec::try_from(channels.normalise(&features).flatten(0, -1)).unwrap();
        assert_eq!(normal, [-1.0, 1.0, 0.0, 0.0]);
        let mut state = Weights::new();
        channels.add_to(&mut state, "teacher");
        assert_eq!(Channels::from_state(&state, "teacher", 2), Ok(channels));
        assert!(Channels::from_state(&state, "teacher", 3).is_err());
        state.remove("teacher.mean");
        assert_eq!(Channels::from_state(&state, "teacher", 2), Err(StateError::missing("teacher.mean")));
    }
}
