//! Scores of zones: areas of the part with limits of their own.

use shared_format::zones::SHARES;
use shared_format::{ZoneMask, Zones};

use crate::align::RigidTransform;
use crate::anomaly_map::AnomalyMap;

/// The means of the largest map values in a zone, for each of [`SHARES`].
pub type ZoneFeatures = [f32; SHARES.len()];

/// The score of one zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneScore {
    /// The grey level that names the zone.
    pub level: u8,
    /// The score; comparable with those of other zones and with the image threshold.
    pub score: f32,
}

/// What a frame's score was computed from, if its bundle has zones.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneEvidence {
    /// The score of each zone, in the bundle's order.
    pub scores: Vec<ZoneScore>,
    /// What the scores were computed from, in the same order.
    pub features: Vec<ZoneFeatures>,
    /// The index of each map position's zone, row by row. It lies as the anomaly map does.
    pub map: Vec<u8>,
}

impl ZoneEvidence {
    /// Returns the zone with the largest score, which is the frame's; of equal ones, the first.
    #[must_use]
    pub fn deciding(&self) -> Option<ZoneScore> {
        let largest = |a: ZoneScore, b: ZoneScore| if b.score > a.score { b } else { a };
        self.scores.iter().copied().reduce(largest)
    }

    /// Moves the map back onto the frame, from which alignment took `movement` out.
    pub(crate) fn warp_back(&mut self, sides: [usize; 2], movement: RigidTransform) {
        let (real, back) = (sides.map(|side| side as f64), movement.inverse());
        let [width, height] = sides;
        let aligned = std::mem::take(&mut self.map);
        let nearest = |at: f64, side: usize| at.round().clamp(0.0, side.saturating_sub(1) as f64) as usize;
        let zone = |x: usize, y: usize| {
            let [x, y] = back.apply([x as f64, y as f64], real);
            let at = nearest(y, height) * width + nearest(x, width);
            aligned.get(at).copied().unwrap_or_default()
        };
        self.map =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| zone(x, y)).collect();
    }
}

/// Scores frames by their worst zone.
#[derive(Debug)]
pub struct ZoneScorer {
    zones: Zones,
    /// The zone of each position of a map with these sides.
    map: Vec<u8>,
    sides: [usize; 2],
}

impl ZoneScorer {
    /// Creates a scorer.
    #[must_use]
    pub const fn new(zones: Zones) -> Self {
        Self { zones, map: vec![], sides: [0; 2] }
    }

    /// Computes the zones' scores from a frame's map, in the position that the network saw it.
    pub fn score(&mut self, map: &AnomalyMap) -> ZoneEvidence {
        let sides = [map.width, map.height];
        if self.sides != sides {
            (self.map, self.sides) = (zone_map(&self.zones.mask, sides), sides);
        }
        let mut values = vec![vec![]; self.zones.zones.len()];
        let mut ignored = map.ignored.iter();
        for (&value, &zone) in map.values.iter().zip(&self.map) {
            let is_ignored = ignored.next().is_some_and(|ignored| *ignored);
            if let Some(values) = values.get_mut(usize::from(zone)).filter(|_| !is_ignored) {
                values.push(value);
            }
        }
        let features: Vec<ZoneFeatures> = values.iter_mut().map(means_of_largest).collect();
        ZoneEvidence { scores: scores(&self.zones, &features), features, map: self.map.clone() }
    }
}

/// Computes the zones' scores from their features; see [`Zones`].
#[must_use]
pub fn scores(zones: &Zones, features: &[ZoneFeatures]) -> Vec<ZoneScore> {
    let of = |(zone, features): (&shared_format::Zone, &ZoneFeatures)| {
        let shares = zone.shares.iter().zip(features).map(|(normals, &mean)| normals.standardise(mean));
        ZoneScore { level: zone.level, score: shares.sum::<f32>() / SHARES.len() as f32 / zone.factor }
    };
    zones.zones.iter().zip(features).map(of).collect()
}

/// Returns the zone of each position of a map of the region of interest.
fn zone_map(mask: &ZoneMask, [width, height]: [usize; 2]) -> Vec<u8> {
    let cell = |at: usize, side: usize, cells: u8| at * usize::from(cells) / side;
    let columns: Vec<usize> = (0..width).map(|x| cell(x, width, mask.columns())).collect();
    let zones_of_row = |y: usize| {
        let row = cell(y, height, mask.rows());
        columns.iter().map(move |&column| mask.zone(column, row))
    };
    (0..height).flat_map(zones_of_row).collect()
}

/// Returns the mean of the largest values for each share, of at least one value; 0 if there are none.
fn means_of_largest(values: &mut Vec<f32>) -> ZoneFeatures {
    let all = values.len();
    let count = |share: u16| (all * usize::from(share)).div_ceil(1000).max(1);
    let most = SHARES.map(count).into_iter().max().unwrap_or(1);
    // Only these have to be in order, for a sum that is rounded the same way everywhere.
    if most < all {
        values.select_nth_unstable_by(most, |a, b| b.total_cmp(a));
        values.truncate(most);
    }
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    SHARES.map(|share| {
        let count = count(share).min(all);
        let sum: f64 = values.iter().take(count).map(|&value| f64::from(value)).sum();
        (sum / count.max(1) as f64) as f32
    })
}

#[cfg(test)]
mod tests {
    use shared_format::{RobustStats, Zone};

    use super::*;

    /// Two zones: the left half, and the right half with twice the tolerance.
    fn halves() -> Zones {
        let zones = [Zone::new(255, 1.0), Zone::new(128, 2.0)].into_iter().collect();
        Zones { mask: ZoneMask::new(2, 1, &[0, 1]).unwrap(), zones }
    }

    #[test]
    fn each_zone_has_the_means_of_its_largest_values() {
        // 1000 positions in each half: 0 to 999 on the left, ten times that on the right, in no order.
        let mut map = AnomalyMap { width: 2000, height: 1, values: vec![0.0; 2000], ignored: vec![] };
        for i in 0..1000 {
            let value = (i * 7 % 1000) as f32;
            (map.values[i], map.values[1000 + i]) = (value, 10.0 * value);
        }
        let evidence = ZoneScorer::new(halves()).score(&map);
        // The means of the largest 2, 10 and 50 of 0 to 999.
        assert_eq!(evidence.features, [[998.5, 994.5, 974.5], [9985.0, 9945.0, 9745.0]]);
        let left = (998.5 + 994.5 + 974.5) / 3.0;
        assert_eq!(evidence.scores.iter().map(|zone| zone.level).collect::<Vec<_>>(), [255, 128]);
        assert!((evidence.scores[0].score - left).abs() < 1e-3, "{evidence:?}");
        assert!((evidence.scores[1].score - 10.0 * left / 2.0).abs() < 1e-2, "{evidence:?}");
        assert_eq!(evidence.deciding().unwrap().level, 128);
        // What is ignored counts in no zone.
        map.ignored = (0..2000).map(|at| at >= 1000 && map.values[at] > 100.0).collect();
        let evidence = ZoneScorer::new(halves()).score(&map);
        assert_eq!(evidence.features[1], [100.0; 3], "eleven values are left");
        assert_eq!(evidence.deciding().unwrap().level, 255);
    }

    #[test]
    fn a_zone_is_compared_with_its_own_normals() {
        let mut zones = halves();
        zones.zones[0].shares = [RobustStats { centre: 10.0, spread: 5.0 }; 3];
        let levels = scores(&zones, &[[20.0; 3], [3.0; 3]]);
        assert_eq!(levels, [ZoneScore { level: 255, score: 2.0 }, ZoneScore { level: 128, score: 1.5 }]);
    }

    #[test]
    fn zones_move_back_with_the_part() {
        let map = vec![0, 0, 1, 1];
        let mut evidence = ZoneEvidence { scores: vec![], features: vec![], map };
        // The part lies one position further to the right in the frame.
        evidence.warp_back([4, 1], RigidTransform { shift: [1.0, 0.0], turn: 0.0 });
        assert_eq!(evidence.map, [0, 0, 0, 1]);
    }

    #[test]
    fn a_mask_is_stretched_over_the_map() {
        assert_eq!(zone_map(&halves().mask, [5, 2]), [0, 0, 0, 1, 1, 0, 0, 0, 1, 1]);
        assert_eq!(zone_map(&halves().mask, [0, 0]), [0; 0]);
    }
}
