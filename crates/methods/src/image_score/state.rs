//! Stores the score as named arrays between fitting and export.

use networks::{Array, ModelState, StateError};
use shared_format::{RobustStats, Tiles};

use super::{ImageScorer, PositionStats, SHARES};
use crate::features::TileGrid;
use crate::taught_defects::Discriminants;

const POSITION_STATS: [&str; 2] = ["image_score.mean", "image_score.deviation"];
const SHARE_STATS: &str = "image_score.shares";
/// Absent if there is no margin.
const MARGIN: &str = "image_score.margin";
/// Columns, rows and overlap; absent if a map shows a single tile.
const TILES: &str = "image_score.tiles";
/// Absent if the model doesn't return the standardised map.
const SCORE_MAP: &str = "image_score.score_map";

impl ImageScorer {
    /// Adds the score to a model's state.
    pub fn add_to(&self, state: &mut ModelState) {
        for (name, data) in POSITION_STATS.into_iter().zip([&self.positions.mean, &self.positions.deviation])
        {
            let array = Array { shape: self.grid.to_vec(), data: data.clone() };
            state.weights.insert(name.to_owned(), array);
        }
        let data = self.shares.iter().flat_map(|stats| [stats.centre, stats.spread]).collect();
        let array = Array { shape: vec![SHARES.len(), 2], data };
        state.weights.insert(SHARE_STATS.to_owned(), array);
        if let Some(taught) = &self.taught {
            taught.add_to(state);
        }
        if self.score_map {
            state.weights.insert(SCORE_MAP.to_owned(), Array { shape: vec![1], data: vec![1.0] });
        }
        if self.margin > 0 {
            let array = Array { shape: vec![1], data: vec![self.margin as f32] };
            state.weights.insert(MARGIN.to_owned(), array);
        }
        if self.tiles != Tiles::ONE {
            let Tiles { columns, rows, overlap } = self.tiles;
            let data = [columns.into(), rows.into(), overlap].map(f32::from).to_vec();
            state.weights.insert(TILES.to_owned(), Array { shape: vec![3], data });
        }
    }

    /// Reads back what [`Self::add_to`] added; `None` if it added nothing.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    pub fn from_state(state: &ModelState) -> Result<Option<Self>, StateError> {
        let Some(mean) = state.weights.get(POSITION_STATS[0]) else { return Ok(None) };
        let get = |name: &'static str| state.weights.get(name).ok_or(StateError::missing(name));
        let (deviation, share_stats) = (get(POSITION_STATS[1])?, get(SHARE_STATS)?);
        let &[rows, columns] = &mean.shape[..] else { return Err(StateError::Sides(POSITION_STATS[0])) };
        if deviation.shape != mean.shape {
            return Err(StateError::Sides(POSITION_STATS[1]));
        }
        let pairs: Vec<RobustStats> = share_stats
            .data
            .chunks_exact(2)
            .map(|pair| RobustStats { centre: pair[0], spread: pair[1] })
            .collect();
        let shares: [RobustStats; SHARES.len()] =
            pairs.try_into().map_err(|_| StateError::Sides(SHARE_STATS))?;
        let is_valid = |m: f32, d: f32| m.is_finite() && d.is_finite() && d > 0.0;
        if !mean.data.iter().zip(&deviation.data).all(|(m, d)| is_valid(*m, *d)) {
            return Err(StateError::values(POSITION_STATS[0]));
        }
        if !shares.iter().all(|stats| is_valid(stats.centre, stats.spread)) {
            return Err(StateError::values(SHARE_STATS));
        }
        let positions = PositionStats { mean: mean.data.clone(), deviation: deviation.data.clone() };
        let margin = match state.weights.get(MARGIN).map(|array| array.data.as_slice()) {
            None => 0,
            Some(&[margin]) if margin >= 0.0 && margin <= rows.min(columns) as f32 => margin as usize,
            Some(_) => return Err(StateError::values(MARGIN)),
        };
        let grid = [rows, columns];
        let tiles = state.weights.get(TILES).map_or(Some(Tiles::ONE), |array| tiles(&array.data, grid));
        let tiles = tiles.ok_or(StateError::values(TILES))?;
        let taught = Discriminants::from_state(state)?;
        let score_map = state.weights.contains_key(SCORE_MAP);
        Ok(Some(Self { grid, margin, tiles, positions, shares, taught, score_map }))
    }
}

/// Reads tiles that make up a map of this grid.
fn tiles(numbers: &[f32], grid: [usize; 2]) -> Option<Tiles> {
    let &[columns, rows, overlap] = numbers else { return None };
    let tiles = Tiles { columns: columns as u8, rows: rows as u8, overlap: overlap as u16 };
    let read = [f32::from(tiles.columns), f32::from(tiles.rows), f32::from(tiles.overlap)];
    (read == *numbers && tiles.count() > 0 && TileGrid::of_whole(tiles, grid).whole() == grid)
        .then_some(tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_score_and_damage_is_named() {
        let positions = PositionStats { mean: vec![1.0, 2.0], deviation: vec![0.5, 0.25] };
        let shares = [0, 1, 2].map(|i| RobustStats { centre: i as f32, spread: 1.0 + i as f32 });
        let tiles = Tiles::side_by_side(2, 1);
        let score =
            ImageScorer { grid: [1, 2], margin: 1, tiles, positions, shares, taught: None, score_map: true };
        let mut state = ModelState::default();
        assert_eq!(ImageScorer::from_state(&state), Ok(None));
        score.add_to(&mut state);
        assert_eq!(ImageScorer::from_state(&state), Ok(Some(score)));
        for (name, value) in [
            (POSITION_STATS[1], 0.0),
            (POSITION_STATS[0], f32::NAN),
            (SHARE_STATS, f32::INFINITY),
            (MARGIN, f32::NAN),
            (TILES, 3.0),
            (TILES, f32::NAN),
        ] {
            let mut damaged = state.clone();
            damaged.weights.get_mut(name).unwrap().data[0] = value;
            assert!(ImageScorer::from_state(&damaged).is_err(), "{name}");
        }
        state.weights.remove(SHARE_STATS);
        assert!(ImageScorer::from_state(&state).is_err());
    }
}
