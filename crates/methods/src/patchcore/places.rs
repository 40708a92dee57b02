//! What distances are on good parts, place by place.

use super::coreset::squared_distance;
use super::model::Places;
use networks::Array;
use networks::resample::{Matrix, gaussian};

/// A place's own statistics count as much as those over all places when this many images were seen: few say little of a
/// place.
const TRUSTED: f64 = 20.0;
/// Share of the mean distance that a deviation has at least: where all images are the same, nothing must be divided by 0.
const DEVIATION_FLOOR: f64 = 1e-3;

/// Running sums of smoothed distances.
#[derive(Debug, Clone)]
pub(super) struct PlaceSums {
    shape: [usize; 2],
    smoothing: [Matrix; 2],
    count: f64,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl PlaceSums {
    /// For maps of rows × columns that are smoothed by a Gaussian of `sigma` positions.
    pub(super) fn new(rows: usize, columns: usize, sigma: f64) -> Self {
        let smoothing = [gaussian(rows, sigma), gaussian(columns, sigma)];
        let (sum, squares) = (vec![0.0; rows * columns], vec![0.0; rows * columns]);
        Self { shape: [rows, columns], smoothing, count: 0.0, sum, squares }
    }

    /// Adds the distances of an image that the bank hasn't seen.
    pub(super) fn add(&mut self, distances: &[f32]) {
        let smooth = self.smoothing[0].apply(distances, &self.smoothing[1]);
        self.count += 1.0;
        for ((sum, square), x) in self.sum.iter_mut().zip(&mut self.squares).zip(smooth) {
            *sum += f64::from(x);
            *square += f64::from(x) * f64::from(x);
        }
    }

    /// The statistics, drawn towards those over all places where images are few; `None` without images.
    pub(super) fn finish(&self) -> Option<Places> {
        if self.count == 0.0 {
            return None;
        }
        let places = self.sum.len() as f64;
        let n = self.count;
        let overall = self.sum.iter().sum::<f64>() / (n * places);
        let spread = (self.squares.iter().sum::<f64>() / (n * places) - overall * overall).max(0.0);
        let own = n / (n + TRUSTED);
        let drawn = |own_value: f64, all: f64| own * own_value + (1.0 - own) * all;
        let floor = DEVIATION_FLOOR * overall.max(f64::from(f32::MIN_POSITIVE));
        let (mut mean, mut deviation) = (vec![], vec![]);
        for (sum, square) in self.sum.iter().zip(&self.squares) {
            let m = sum / n;
            let variance = ((square - n * m * m) / (n - 1.0).max(1.0)).max(0.0);
            mean.push(drawn(m, overall) as f32);
            deviation.push(drawn(variance, spread).sqrt().max(floor) as f32);
        }
        let array = |data| Array { shape: self.shape.to_vec(), data };
        Some(Places { mean: array(mean), deviation: array(deviation) })
    }
}

/// The mean distance of each vector from its `count` nearest entries.
pub(super) fn distances(vectors: &[f32], bank: &[f32], dimensions: usize, count: usize) -> Vec<f32> {
    let mut nearest: Vec<f32> = Vec::with_capacity(count + 1);
    let mean = |vector: &[f32]| {
        nearest.clear();
        for entry in bank.chunks_exact(dimensions) {
            let distance = squared_distance(vector, entry);
            if nearest.len() < count || nearest.last().is_some_and(|&last| distance < last) {
                let place = nearest.partition_point(|&near| near <= distance);
                nearest.insert(place, distance);
                nearest.truncate(count);
            }
        }
        nearest.iter().map(|d| d.sqrt()).sum::<f32>() / nearest.len().max(1) as f32
    };
    vectors.chunks_exact(dimensions).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_say_little_of_a_place_and_many_do() {
        // One place has twice the distance of the others, and three times their deviation.
        let map = |i: usize| -> Vec<f32> {
            let wave = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            (0..64).map(|p| if p < 8 { 2.0 + 0.3 * wave } else { 1.0 + 0.1 * wave }).collect()
        };
        let ratio = |count: usize| {
            let mut sums = PlaceSums::new(8, 8, 1.0);
            (0..count).for_each(|i| sums.add(&map(i)));
            let places = sums.finish().unwrap();
            (places.mean.data[0] / places.mean.data[63], places.deviation.data[0] / places.deviation.data[63])
        };
        let (few, many) = (ratio(4), ratio(2000));
        assert!(few.0 < 1.3 && few.1 < 1.5, "{few:?}");
        assert!(many.0 > 1.6 && many.1 > 1.9, "{many:?}");
        assert!(PlaceSums::new(8, 8, 1.0).finish().is_none());
    }

    #[test]
    fn nearest_entries() {
        let bank = [0.0, 0.0, 3.0, 4.0, 6.0, 8.0];
        assert_eq!(distances(&[0.0, 0.0, 3.0, 4.0], &bank, 2, 1), [0.0, 0.0]);
        assert_eq!(distances(&[0.0, 0.0], &bank, 2, 3), [5.0]);
    }

    #[test]
    fn images_without_any_distance_stay_finite() {
        let mut sums = PlaceSums::new(4, 4, 1.0);
        (0..3).for_each(|_| sums.add(&[0.0; 16]));
        assert!(sums.finish().unwrap().deviation.data.iter().all(|d| *d > 0.0 && d.is_finite()));
    }
}
