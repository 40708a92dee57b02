//! Computes a frame's score from the model's outputs, as the threshold file defines it.

use shared_format::Descriptor;
use shared_format::image_score::{FEATURES, MAP_QUANTILES};

use crate::anomaly_map::AnomalyMap;

/// Returns the features of a frame with this map and this model score; see [`Descriptor`].
#[must_use]
pub fn features(map: &AnomalyMap, model_score: f32) -> [f32; FEATURES] {
    let mut values = map.judged().into_owned();
    let last = values.len().saturating_sub(1);
    let mut features = [model_score; FEATURES];
    // The quantiles ascend, so each is searched for among the values not below the previous one.
    let mut done = 0;
    for (feature, quantile) in features.iter_mut().zip(MAP_QUANTILES) {
        let rank = (quantile * last as f64) as usize;
        let Some(rest) = values.get_mut(done..) else { break };
        if let Some(at) = rank.checked_sub(done).filter(|&at| at < rest.len()) {
            *feature = *rest.select_nth_unstable_by(at, f32::total_cmp).1;
            done = rank;
        }
    }
    features
}

/// Returns the Mahalanobis distance of `features` from those of the normals.
#[must_use]
pub fn distance(descriptor: &Descriptor, features: &[f32; FEATURES]) -> f32 {
    let mut centred = [0.0; FEATURES];
    for ((c, x), mean) in centred.iter_mut().zip(features).zip(&descriptor.mean) {
        *c = f64::from(*x) - f64::from(*mean);
    }
    let product =
        |row: &[f32; FEATURES]| -> f64 { row.iter().zip(&centred).map(|(w, c)| f64::from(*w) * c).sum() };
    descriptor.whitening.iter().map(|row| product(row).powi(2)).sum::<f64>().sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_order_statistics_and_the_models_score() {
        // 0 to 1000, each once, even numbers first.
        let values: Vec<f32> = (0..1001).map(|i| (i * 2 % 1001) as f32).collect();
        let map = AnomalyMap { width: 1001, height: 1, values, ignored: vec![] };
        assert_eq!(features(&map, 3.5), [250.0, 500.0, 750.0, 900.0, 950.0, 990.0, 999.0, 3.5]);
        // Fewer values than quantiles: several quantiles share one.
        let two = AnomalyMap { width: 2, height: 1, values: vec![2.0, 1.0], ignored: vec![] };
        assert_eq!(features(&two, 0.0), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_distance_is_the_length_of_the_whitened_deviation() {
        let mut whitening = [[0.0; FEATURES]; FEATURES];
        (whitening[0][0], whitening[1][0], whitening[1][7]) = (3.0, 1.0, 2.0);
        let descriptor = Descriptor { mean: [1.0; FEATURES], whitening };
        let mut features = [1.0; FEATURES];
        (features[0], features[7]) = (2.0, 2.5);
        // (3 · 1)² + (1 · 1 + 2 · 1.5)² = 9 + 16.
        assert_eq!(distance(&descriptor, &features), 5.0);
    }
}
