//! Fits the score to maps of parts that the model hasn't seen, and scores each of those parts.

use bundle::robust_stats;
use shared_format::{RobustStats, Size, Tiles};

use super::positions::{PositionStats, PositionSums};
use super::{ImageScorer, SHARES, enlarge, positions_in_share};
use crate::features::TileGrid;

/// Minimum spread, in deviations: if parts are all alike, a tiny difference must not count.
const MIN_SPREAD: f32 = 0.1;

/// Distance maps of good parts, each by a model that hasn't seen the part.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// Rows and columns of the maps.
    pub grid: [usize; 2],
    /// Positions beyond the maps on each side.
    pub margin: usize,
    /// The tiles that a map shows together.
    pub tiles: Tiles,
    /// For each part, for each of its frames, its maps: one for each tile, or one for all of them.
    pub parts: Vec<Vec<Vec<Vec<f32>>>>,
}

/// A frame's maps, standardised.
pub(crate) type Standardised = Vec<Vec<f32>>;

/// A map of a frame, or of one of its tiles, at the input's size, by a model that hasn't seen the part.
#[derive(Debug)]
pub struct EnlargedMap {
    /// The distances, which people see.
    pub shown: Vec<f32>,
    /// The distances standardised by those of the other parts, which the score is computed from.
    pub standardised: Vec<f32>,
}

impl HeldOut {
    /// Returns the statistics of each position, and each part's frames standardised by those of the other parts. `None` without
    /// parts.
    pub(crate) fn standardised(&self) -> Option<(PositionStats, Vec<Vec<Standardised>>)> {
        let mut sums = PositionSums::new(self.grid.iter().product());
        let maps = |part: &[Vec<Vec<f32>>]| part.iter().flatten().cloned().collect::<Vec<_>>();
        self.parts.iter().flat_map(|part| maps(part)).for_each(|map| sums.add(&map));
        let stats = sums.statistics()?;
        let mut parts: Vec<Vec<Standardised>> = vec![];
        for part in &self.parts {
            maps(part).iter().for_each(|map| sums.remove(map));
            let others = sums.statistics();
            let others = others.as_ref().unwrap_or(&stats);
            maps(part).iter().for_each(|map| sums.add(map));
            let standardised =
                |frame: &Vec<Vec<f32>>| frame.iter().map(|map| others.standardise(map)).collect();
            parts.push(part.iter().map(standardised).collect());
        }
        Some((stats, parts))
    }
}

impl ImageScorer {
    /// Fits the score, and computes it for each part's frames; `enlarged` receives their maps, part by part. A part's
    /// own maps don't count when its positions are standardised: the part must be as new to the score as to the model. `None`
    /// without parts.
    #[must_use]
    pub fn fit(
        held_out: &HeldOut,
        input: Size,
        enlarged: &mut dyn FnMut(EnlargedMap),
    ) -> Option<(Self, Vec<Vec<f32>>)> {
        let (stats, parts) = held_out.standardised()?;
        let tiles = of_tiles(held_out.tiles, held_out.grid);
        let all = || parts.iter().flatten().flatten();
        let of_share = |share| {
            let of_map =
                |map: &Vec<f32>| tiles(map).map(|tile| worst_share(&tile, share)).collect::<Vec<f32>>();
            stats_of(all().flat_map(of_map).collect())
        };
        let score = Self {
            grid: held_out.grid,
            margin: held_out.margin,
            tiles: held_out.tiles,
            positions: stats,
            shares: SHARES.map(of_share),
            taught: None,
            score_map: false,
        };
        let [down, across] = enlarge(held_out.grid, held_out.margin, input);
        let maps = held_out.parts.iter().flatten().flatten();
        for (map, standardised) in maps.zip(all()) {
            let [shown, standardised] = [map, standardised].map(|map| down.apply(map, &across));
            enlarged(EnlargedMap { shown, standardised });
        }
        // The worst map decides, as on the line.
        let of =
            |frame: &Standardised| frame.iter().map(|map| score.of(map)).fold(f32::NEG_INFINITY, f32::max);
        let scores = parts.iter().map(|part| part.iter().map(of).collect()).collect();
        Some((score, scores))
    }

    /// Computes the score of a standardised map.
    pub(crate) fn of(&self, map: &[f32]) -> f32 {
        let tiles = of_tiles(self.tiles, self.grid);
        let of_tile = |tile: Vec<f32>| {
            let shares = SHARES.iter().zip(&self.shares);
            let scores = shares.map(|(&share, stats)| stats.standardise(worst_share(&tile, share)));
            scores.sum::<f32>() / SHARES.len() as f32
        };
        tiles(map).map(of_tile).fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Returns a function that cuts a map of this grid into its tiles.
fn of_tiles(tiles: Tiles, grid: [usize; 2]) -> impl Fn(&[f32]) -> std::vec::IntoIter<Vec<f32>> {
    let windows: Vec<Vec<usize>> = TileGrid::of_whole(tiles, grid).windows().collect();
    move |map| {
        let cut = |window: &Vec<usize>| window.iter().map(|&position| map[position]).collect();
        windows.iter().map(cut).collect::<Vec<Vec<f32>>>().into_iter()
    }
}

/// Returns the mean of the largest values that make up `share` thousandths.
fn worst_share(map: &[f32], share: usize) -> f32 {
    worst(map, positions_in_share(share, map.len()))
}

/// Returns the mean of the `count` largest values.
fn worst(map: &[f32], count: usize) -> f32 {
    let mut values = map.to_vec();
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    values.truncate(count);
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// Returns the median of values and their spread: the interquartile range in deviations of a Gaussian.
pub(crate) fn stats_of(mut values: Vec<f32>) -> RobustStats {
    values.sort_unstable_by(f32::total_cmp);
    robust_stats(&values, MIN_SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::seeded::Seeded;

    const GRID: [usize; 2] = [16, 24];
    const INPUT: Size = Size { width: 192, height: 128 };

    fn normals(count: usize, spread: u32) -> HeldOut {
        let mut random = Seeded::new(5, 0);
        let mut map = || {
            let usual = |p: usize| if p < 24 { 1.5 } else { 1.0 };
            (0..384).map(|p| usual(p) + random.below(1001) as f32 / 1000.0 * spread as f32 * 0.2).collect()
        };
        HeldOut {
            grid: GRID,
            margin: 0,
            tiles: Tiles::ONE,
            parts: (0..count).map(|_| vec![vec![map()]]).collect(),
        }
    }

    #[test]
    fn a_scratch_and_a_stain_are_both_far_from_good_parts() {
        for count in [5, 10, 20, 60] {
            let held_out = normals(count, 1);
            let (score, parts) = ImageScorer::fit(&held_out, INPUT, &mut |_| ()).unwrap();
            let highest = parts.iter().flatten().copied().fold(f32::MIN, f32::max);
            let part = &held_out.parts[0][0][0];
            let with = |range: std::ops::Range<usize>, more: f32| {
                let changed = part.iter().enumerate();
                let map: Vec<f32> =
                    changed.map(|(p, x)| if range.contains(&p) { x + more } else { *x }).collect();
                score.of(&score.positions.standardise(&map))
            };
            assert!(with(200..202, 1.5) > highest, "a scratch, {count} parts");
            assert!(with(240..336, 0.5) > highest, "a stain, {count} parts");
        }
    }

    #[test]
    fn still_pictures_and_constant_places_stay_finite() {
        for count in [1, 2, 5] {
            let (score, parts) = ImageScorer::fit(&normals(count, 0), INPUT, &mut |_| ()).unwrap();
            assert!(parts.iter().flatten().all(|score| score.is_finite()));
            assert!(score.positions.deviation.iter().all(|d| *d > 0.0));
        }
        let zeros =
            HeldOut { grid: [2, 2], margin: 0, tiles: Tiles::ONE, parts: vec![vec![vec![vec![0.0; 4]]]; 3] };
        let (score, _) = ImageScorer::fit(&zeros, Size { width: 16, height: 16 }, &mut |_| ()).unwrap();
        assert!(score.of(&score.positions.standardise(&[0.0; 4])).is_finite());
        let nothing = HeldOut { parts: vec![], ..zeros };
        assert!(ImageScorer::fit(&nothing, INPUT, &mut |_| ()).is_none());
    }

    #[test]
    fn a_scratch_counts_as_much_on_many_tiles_and_on_their_seam() {
        // Two tiles of 16 × 14 that share 4 columns.
        let tiles = Tiles { columns: 2, rows: 1, overlap: 32 };
        let held_out = HeldOut { tiles, ..normals(20, 1) };
        let (score, parts) = ImageScorer::fit(&held_out, INPUT, &mut |_| ()).unwrap();
        let highest = parts.iter().flatten().copied().fold(f32::MIN, f32::max);
        let part = &held_out.parts[0][0][0];
        let with = |columns: [usize; 2]| {
            let mut map = part.clone();
            columns.iter().for_each(|column| map[8 * 24 + column] += 1.5);
            score.of(&score.positions.standardise(&map))
        };
        for columns in [[2, 3], [11, 12], [20, 21]] {
            assert!(with(columns) > highest, "{columns:?}: {} {highest}", with(columns));
        }
    }

    #[test]
    fn a_part_is_new_to_its_own_score() {
        let mut held_out = normals(20, 1);
        held_out.parts[7][0][0].iter_mut().for_each(|x| *x += 5.0);
        let (score, parts) = ImageScorer::fit(&held_out, INPUT, &mut |_| ()).unwrap();
        let seen = score.of(&score.positions.standardise(&held_out.parts[7][0][0]));
        assert!(parts[7][0] > 2.0 * seen, "{} {seen}", parts[7][0]);
    }
}
