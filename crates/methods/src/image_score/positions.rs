//! Statistics of distances on good parts, position by position.

/// With this many images, a position's own statistics count as much as those of all positions: few images say little about
/// one position.
const TRUSTED: f64 = 20.0;
/// Minimum deviation, as a share of the mean distance: avoids a division by 0 if all images are equal.
const DEVIATION_FLOOR: f64 = 1e-3;

/// The mean and deviation of the distance at each position.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionStats {
    /// The mean at each position.
    pub mean: Vec<f32>,
    /// The deviation at each position; never 0.
    pub deviation: Vec<f32>,
}

impl PositionStats {
    /// Computes (x − mean) / deviation at each position.
    #[must_use]
    pub fn standardise(&self, map: &[f32]) -> Vec<f32> {
        let statistics = self.mean.iter().zip(&self.deviation);
        map.iter().zip(statistics).map(|(x, (mean, deviation))| (x - mean) / deviation).collect()
    }
}

/// Running sums over maps of distances.
#[derive(Debug, Clone)]
pub(super) struct PositionSums {
    count: f64,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl PositionSums {
    pub(super) fn new(positions: usize) -> Self {
        Self { count: 0.0, sum: vec![0.0; positions], squares: vec![0.0; positions] }
    }

    pub(super) fn add(&mut self, map: &[f32]) {
        self.weigh(map, 1.0);
    }

    /// Removes a map that was added.
    pub(super) fn remove(&mut self, map: &[f32]) {
        self.weigh(map, -1.0);
    }

    fn weigh(&mut self, map: &[f32], weight: f64) {
        self.count += weight;
        for ((sum, square), &x) in self.sum.iter_mut().zip(&mut self.squares).zip(map) {
            *sum += weight * f64::from(x);
            *square += weight * f64::from(x) * f64::from(x);
        }
    }

    /// Returns the statistics, shrunk towards those over all positions if there are few maps; `None` without maps.
    pub(super) fn statistics(&self) -> Option<PositionStats> {
        let n = self.count;
        if n < 1.0 || self.sum.is_empty() {
            return None;
        }
        let all = n * self.sum.len() as f64;
        let overall = self.sum.iter().sum::<f64>() / all;
        let spread = (self.squares.iter().sum::<f64>() / all - overall * overall).max(0.0);
        let own = n / (n + TRUSTED);
        let drawn = |own_value: f64, all: f64| own * own_value + (1.0 - own) * all;
        let floor = (DEVIATION_FLOOR * overall.abs()).max(f64::from(f32::MIN_POSITIVE));
        let (mut mean, mut deviation) = (vec![], vec![]);
        for (sum, square) in self.sum.iter().zip(&self.squares) {
            let m = sum / n;
            let variance = ((square - n * m * m) / (n - 1.0).max(1.0)).max(0.0);
            mean.push(drawn(m, overall) as f32);
            deviation.push(drawn(variance, spread).sqrt().max(floor) as f32);
        }
        Some(PositionStats { mean, deviation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_say_little_of_a_place_and_many_do() {
        // Some positions have twice the distance of the others, and three times their deviation.
        let map = |i: usize| -> Vec<f32> {
            let wave = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            (0..64).map(|p| if p < 8 { 2.0 + 0.3 * wave } else { 1.0 + 0.1 * wave }).collect()
        };
        let ratio = |count: usize| {
            let mut sums = PositionSums::new(64);
            (0..count).for_each(|i| sums.add(&map(i)));
            let stats = sums.statistics().unwrap();
            (stats.mean[0] / stats.mean[63], stats.deviation[0] / stats.deviation[63])
        };
        let (few, many) = (ratio(4), ratio(2000));
        assert!(few.0 < 1.3 && few.1 < 1.5, "{few:?}");
        assert!(many.0 > 1.8 && many.1 > 2.5, "{many:?}");
        assert!(PositionSums::new(64).statistics().is_none());
    }

    #[test]
    fn a_removed_map_leaves_no_trace() {
        let (mut with, mut without) = (PositionSums::new(2), PositionSums::new(2));
        for map in [[1.0, 2.0], [3.0, 5.0], [2.0, 2.5]] {
            with.add(&map);
            without.add(&map);
        }
        with.add(&[9.0, 9.0]);
        with.remove(&[9.0, 9.0]);
        let (with, without) = (with.statistics().unwrap(), without.statistics().unwrap());
        for (a, b) in with.deviation.iter().zip(&without.deviation) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
