//! What is measured on images before and after training: the teacher's channels, and the maps of normals.

use networks::{Array, StateError, Weights};
use tch::{Kind, Tensor};

/// A channel that hardly varies must not be scaled up to decide alone: its deviation counts as this share of the
/// channels' mean, at least.
const DEVIATION_FLOOR: f64 = 1e-3;
/// The quantiles of the normals' maps that become 0 and 0.1.
const QUANTILES: [f64; 2] = [0.9, 0.995];
/// Whose channels they are, in the names of a run's state: the features that are to be learned.
pub const TEACHER: &str = "teacher";
/// The level that the student starts from.
pub const TRUNK: &str = "trunk";

/// Mean and standard deviation of each channel on the fit images.
#[derive(Debug, Clone, PartialEq)]
pub struct Channels {
    /// C means.
    pub mean: Vec<f32>,
    /// C deviations, none of them 0.
    pub deviation: Vec<f32>,
}

impl Channels {
    /// From the sums over all positions: of the features, and of their squared distances from their mean.
    #[must_use]
    pub fn new(mean: &[f64], squares: &[f64], positions: f64) -> Self {
        let deviation: Vec<f64> = squares.iter().map(|s| (s / positions).sqrt()).collect();
        let floor = DEVIATION_FLOOR * deviation.iter().sum::<f64>() / deviation.len() as f64;
        // All images may be the same single colour.
        let floor = floor.max(f64::from(f32::MIN_POSITIVE));
        Self {
            mean: mean.iter().map(|&m| m as f32).collect(),
            deviation: deviation.iter().map(|d| d.max(floor) as f32).collect(),
        }
    }

    /// Adds them to a run's state, as those of `whose`.
    pub fn add_to(&self, state: &mut Weights, whose: &str) {
        for (part, data) in [("mean", &self.mean), ("deviation", &self.deviation)] {
            state.insert(format!("{whose}.{part}"), Array { shape: vec![data.len()], data: data.clone() });
        }
    }

    /// What [`Self::add_to`] gave, for `count` channels.
    ///
    /// # Errors
    /// Names what is missing or out of range.
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

    /// Features (N×C×h×w, any float format) with mean 0 and deviation 1, in 32-bit floats.
    pub fn normalise(&self, features: &Tensor) -> Tensor {
        let channel =
            |values: &[f32]| Tensor::from_slice(values).reshape([1, -1, 1, 1]).to_device(features.device());
        (features.to_kind(Kind::Float) - channel(&self.mean)) / channel(&self.deviation)
    }
}

/// The quantiles of a map's values on the selection images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapScale {
    /// The 0.9 quantile, which becomes 0.
    pub low: f32,
    /// The 0.995 quantile, which becomes 0.1.
    pub high: f32,
}

impl MapScale {
    /// Of all values (one at least) of all maps.
    #[must_use]
    pub fn new(mut values: Vec<f32>) -> Self {
        values.sort_unstable_by(f32::total_cmp);
        let [low, high] = QUANTILES.map(|q| quantile(&values, q));
        Self { low, high }
    }

    /// What a value is multiplied by after `low` was taken off it.
    #[must_use]
    pub fn factor(&self) -> f32 {
        // A map that is the same everywhere has nothing to say.
        let range = self.high - self.low;
        if range > f32::EPSILON * self.high.abs() { 0.1 / range } else { 0.0 }
    }

    /// Adds it to a run's state, as `name`.
    pub fn add_to(&self, state: &mut Weights, name: &str) {
        state.insert(name.to_owned(), Array { shape: vec![2], data: vec![self.low, self.high] });
    }

    /// What [`Self::add_to`] gave.
    ///
    /// # Errors
    /// Where it is missing or out of range.
    pub fn from_state(state: &Weights, name: &str) -> Result<Self, StateError> {
        match state.get(name).map(|array| array.data.as_slice()) {
            Some(&[low, high]) if low.is_finite() && high.is_finite() && low <= high => {
                Ok(Self { low, high })
            }
            Some(_) => Err(StateError::values(name.to_owned())),
            None => Err(StateError::missing(name.to_owned())),
        }
    }
}

/// The quantile of sorted values, linear between neighbours.
fn quantile(sorted: &[f32], q: f64) -> f32 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    (f64::from(below) + place.fract() * (f64::from(above) - f64::from(below))) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let scale = MapScale::new((0..=100).rev().map(|n| n as f32).collect());
        assert_eq!(scale, MapScale { low: 90.0, high: 99.5 });
        assert!(((99.5 - scale.low) * scale.factor() - 0.1).abs() < 1e-7);
        assert_eq!(MapScale::new(vec![2.0; 9]).factor(), 0.0);
        assert_eq!(MapScale::new(vec![2.0]), MapScale { low: 2.0, high: 2.0 });
    }

    #[test]
    fn channels_come_out_with_mean_0_and_deviation_1() {
        let features = Tensor::from_slice(&[1f32, 3.0, 5.0, 5.0]).reshape([1, 2, 1, 2]);
        let channels = Channels::new(&[2.0, 5.0], &[2.0, 0.0], 2.0);
        let normal: Vec<f32> = Vec::try_from(channels.normalise(&features).flatten(0, -1)).unwrap();
        assert_eq!(normal, [-1.0, 1.0, 0.0, 0.0]);
        let mut state = Weights::new();
        channels.add_to(&mut state, TEACHER);
        assert_eq!(Channels::from_state(&state, TEACHER, 2), Ok(channels));
        assert!(Channels::from_state(&state, TEACHER, 3).is_err());
        state.remove("teacher.mean");
        assert_eq!(Channels::from_state(&state, TEACHER, 2), Err(StateError::missing("teacher.mean")));
    }
}
