//! Maps on several scales, each made comparable by its mean and deviation on good parts, and their mean.

use networks::onnx::{GraphBuilder, Value};
use networks::resample::bilinear;
use networks::{Array, StateError, Weights};
use tch::{Kind, Tensor};

/// Minimum deviation of a level: photos of a single colour have none.
const DEVIATION_FLOOR: f64 = 1e-6;
/// Names in a run's state.
const MEANS: &str = "scoring.means";
const DEVIATIONS: &str = "scoring.deviations";

/// Mean and deviation of a level's map over all positions of good parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelScale {
    /// The mean.
    pub mean: f32,
    /// The deviation, never 0.
    pub deviation: f32,
}

/// Sums of a level's maps.
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

/// Computes the mean over the levels of each map in deviations from its mean, on the grid of the first: N×1×h×w.
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

/// Adds [`combined`] to a model; `None` without levels.
pub fn add_combined(g: &mut GraphBuilder, levels: &[Value], scales: &[LevelScale]) -> Option<Value> {
    let fine = levels.first()?.shape();
    let fine = [fine[2], fine[3]];
    let mut sum: Option<Value> = None;
    for (level, scale) in levels.iter().zip(scales) {
        let mean = g.scalar(scale.mean);
        let share = g.scalar(1.0 / (scale.deviation * levels.len() as f32));
        let centred = g.sub(level, &mean);
        let standardised = g.mul(&centred, &share);
        let [rows, columns] = [0, 1].map(|axis| bilinear(level.shape()[2 + axis], fine[axis]));
        let resized = g.resample(&standardised, &rows, &columns);
        sum = Some(match sum {
            Some(sum) => g.add(&sum, &resized),
            None => resized,
        });
    }
    sum
}

/// Adds the scales to a run's state.
pub fn add_scales_to(state: &mut Weights, scales: &[LevelScale]) {
    let of = |value: fn(&LevelScale) -> f32| {
        let data: Vec<f32> = scales.iter().map(value).collect();
        Array { shape: vec![data.len()], data }
    };
    state.insert(MEANS.to_owned(), of(|scale| scale.mean));
    state.insert(DEVIATIONS.to_owned(), of(|scale| scale.deviation));
}

/// Returns whether a state has scales: they are measured once training has ended.
#[must_use]
pub fn has_scales(state: &Weights) -> bool {
    state.contains_key(MEANS) || state.contains_key(DEVIATIONS)
}

/// Reads what [`add_scales_to`] wrote, for `levels` levels.
///
/// # Errors
/// If a value is missing or out of range; the error names it.
pub fn scales_from(state: &Weights, levels: usize) -> Result<Vec<LevelScale>, StateError> {
    let values = |name: &'static str| {
        let array = state.get(name).ok_or(StateError::missing(name))?;
        let usable = array.data.len() == levels && array.data.iter().all(|x| x.is_finite());
        if usable { Ok(&array.data) } else { Err(StateError::values(name)) }
    };
    let (means, deviations) = (values(MEANS)?, values(DEVIATIONS)?);
    if deviations.iter().any(|deviation| *deviation <= 0.0) {
        return Err(StateError::values(DEVIATIONS));
    }
    let scale = |(&mean, &deviation)| LevelScale { mean, deviation };
    Ok(means.iter().zip(deviations).map(scale).collect())
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
