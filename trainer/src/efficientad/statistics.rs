//! Statistics measured after training: the quantiles of normals' maps.

use networks::{Array, StateError, Weights};

/// The quantiles of the normals' maps that become 0 and 0.1.
const QUANTILES: [f64; 2] = [0.9, 0.995];
/// Name, in a run's state, of the channels of the features to learn.
pub const TEACHER: &str = "teacher";
/// Name, in a run's state, of the channels of the level that the student starts from.
pub const TRUNK: &str = "trunk";

/// The quantiles of a map's values on the selection images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapScale {
    /// The 0.9 quantile, which becomes 0.
    pub low: f32,
    /// The 0.995 quantile, which becomes 0.1.
    pub high: f32,
}

impl MapScale {
    /// Computes the quantiles of all values (at least one) of all maps.
    #[must_use]
    pub fn new(mut values: Vec<f32>) -> Self {
        values.sort_unstable_by(f32::total_cmp);
        let [low, high] = QUANTILES.map(|q| quantile(&values, q));
        Self { low, high }
    }

    /// Returns the factor for a value after `low` was subtracted from it.
    #[must_use]
    pub fn factor(&self) -> f32 {
        // A map that is the same everywhere carries no information.
        let range = self.high - self.low;
        if range > f32::EPSILON * self.high.abs() { 0.1 / range } else { 0.0 }
    }

    /// Adds it to a run's state, under `name`.
    pub fn add_to(&self, state: &mut Weights, name: &str) {
        state.insert(name.to_owned(), Array { shape: vec![2], data: vec![self.low, self.high] });
    }

    /// Reads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If it is missing or out of range.
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

/// Returns a quantile of sorted values, interpolated linearly between neighbours.
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
}
