//! Combines the levels' negative_log_likelihoods into a map.

use methods::image_score::ImageScorer;
use networks::{Array, ModelState, StateError};
use tch::{Kind, Tensor};

/// Minimum deviation of a level: photos of a single colour have none.
const DEVIATION_FLOOR: f64 = 1e-6;
/// Names in a run's state.
const MEANS: &str = "scoring.means";
const DEVIATIONS: &str = "scoring.deviations";

/// Mean and deviation of a level's negative_log_likelihood over all positions of good parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelScale {
    /// The mean.
    pub mean: f32,
    /// The deviation, never 0.
    pub deviation: f32,
}

/// Sums of a level's negative_log_likelihoods.
#[derive(Debug, Clone, Copy, Default)]
pub struct LevelSums {
    positions: f64,
    first: f64,
    squares: f64,
}

impl LevelSums {
    /// Adds a map.
    pub fn add(&mut self, map: &Tensor) {
        let map = map.to_kind(Kind::Double);
        self.positions += map.numel() as f64;
        self.first += map.sum(Kind::Double).double_value(&[]);
        self.squares += map.square().sum(Kind::Double).double_value(&[]);
    }

    /// Returns the scale; `None` if it is not finite.
    #[must_use]
    pub fn scale(&self) -> Option<LevelScale> {
        let mean = self.first / self.positions;
        let deviation = (self.squares / self.positions - mean * mean).max(0.0).sqrt().max(DEVIATION_FLOOR);
        let scale = LevelScale { mean: mean as f32, deviation: deviation as f32 };
        (scale.mean.is_finite() && scale.deviation.is_finite()).then_some(scale)
    }
}

/// Computes the mean over the levels of each negative_log_likelihood in deviations from its mean, on the finest grid: N×1×h×w.
#[must_use]
pub fn combined(levels: &[Tensor], scales: &[LevelScale]) -> Option<Tensor> {
    let fine = levels.first()?.size();
    let level = |(level, scale): (&Tensor, &LevelScale)| {
        let share = 1.0 / (f64::from(scale.deviation) * levels.len() as f64);
        let standardised = (level - f64::from(scale.mean)) * share;
        standardised.upsample_bilinear2d([fine[2], fine[3]], false, None, None)
    };
    levels.iter().zip(scales).map(level).reduce(|sum, level| sum + level)
}

/// How the levels' negative_log_likelihoods become a map and a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    /// The scale of each level, finest first.
    pub scales: Vec<LevelScale>,
    /// The score of the map that [`combined`] returns.
    pub image_score: ImageScorer,
}

impl Scoring {
    /// Reads what [`Self::add_to`] wrote, for `levels` levels.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn from_state(state: &ModelState, levels: usize) -> Result<Self, StateError> {
        let values = |name: &'static str| {
            let array = state.weights.get(name).ok_or(StateError::missing(name))?;
            let usable = array.data.len() == levels && array.data.iter().all(|x| x.is_finite());
            if usable { Ok(&array.data) } else { Err(StateError::values(name)) }
        };
        let (means, deviations) = (values(MEANS)?, values(DEVIATIONS)?);
        if deviations.iter().any(|deviation| *deviation <= 0.0) {
            return Err(StateError::values(DEVIATIONS));
        }
        let scale = |(&mean, &deviation)| LevelScale { mean, deviation };
        let scales = means.iter().zip(deviations).map(scale).collect();
        let image_score = ImageScorer::from_state(state)?.ok_or(StateError::missing("image_score"))?;
        Ok(Self { scales, image_score })
    }

    /// Adds the scoring to a run's state.
    pub fn add_to(&self, state: &mut ModelState) {
        let of = |value: fn(&LevelScale) -> f32| {
            let data: Vec<f32> = self.scales.iter().map(value).collect();
            Array { shape: vec![data.len()], data }
        };
        state.weights.insert(MEANS.to_owned(), of(|scale| scale.mean));
        state.weights.insert(DEVIATIONS.to_owned(), of(|scale| scale.deviation));
        self.image_score.add_to(state);
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn each_level_counts_alike_whatever_its_scale() {
        let fine = Tensor::arange(16, (Kind::Float, Device::Cpu)).reshape([1, 1, 4, 4]);
        let coarse = Tensor::ones([1, 1, 2, 2], (Kind::Float, Device::Cpu)) * 30.0;
        let mut sums = LevelSums::default();
        sums.add(&fine);
        let scale = sums.scale().unwrap();
        assert!(
            (scale.mean - 7.5).abs() < 1e-6 && (f64::from(scale.deviation) - 21.25f64.sqrt()).abs() < 1e-6
        );
        let scales = [scale, LevelScale { mean: 10.0, deviation: 20.0 }];
        let map = combined(&[fine, coarse], &scales).unwrap();
        assert_eq!(map.size(), [1, 1, 4, 4]);
        let expected = 0.5 * ((15.0 - 7.5) / 21.25f64.sqrt() + 1.0);
        assert!((map.double_value(&[0, 0, 3, 3]) - expected).abs() < 1e-6);
        let mut same = LevelSums::default();
        same.add(&Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu)));
        assert!(same.scale().unwrap().deviation > 0.0);
        same.add(&Tensor::from_slice(&[f32::NAN]));
        assert_eq!(same.scale(), None);
    }
}
