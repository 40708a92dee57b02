//! Stores the score as named arrays between fitting and export.

use networks::{Array, State, StateError};

use super::{ImageScore, Places, SHARES, Usual};

const PLACES: [&str; 2] = ["image_score.mean", "image_score.deviation"];
const SHARES_USUAL: &str = "image_score.shares";
/// Absent if there is no margin.
const MARGIN: &str = "image_score.margin";

impl ImageScore {
    /// Adds the score to a model's state.
    pub fn keep(&self, state: &mut State) {
        for (name, data) in PLACES.into_iter().zip([&self.places.mean, &self.places.deviation]) {
            let array = Array { shape: self.grid.to_vec(), data: data.clone() };
            state.weights.insert(name.to_owned(), array);
        }
        let data = self.shares.iter().flat_map(|usual| [usual.centre, usual.spread]).collect();
        let array = Array { shape: vec![SHARES.len(), 2], data };
        state.weights.insert(SHARES_USUAL.to_owned(), array);
        if self.margin > 0 {
            let array = Array { shape: vec![1], data: vec![self.margin as f32] };
            state.weights.insert(MARGIN.to_owned(), array);
        }
    }

    /// Reads back what [`Self::keep`] added; `None` if it added nothing.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    pub fn kept(state: &State) -> Result<Option<Self>, StateError> {
        let Some(mean) = state.weights.get(PLACES[0]) else { return Ok(None) };
        let get = |name: &'static str| state.weights.get(name).ok_or(StateError::missing(name));
        let (deviation, usual) = (get(PLACES[1])?, get(SHARES_USUAL)?);
        let &[rows, columns] = &mean.shape[..] else { return Err(StateError::Sides(PLACES[0])) };
        if deviation.shape != mean.shape {
            return Err(StateError::Sides(PLACES[1]));
        }
        let pairs: Vec<Usual> =
            usual.data.chunks_exact(2).map(|pair| Usual { centre: pair[0], spread: pair[1] }).collect();
        let shares: [Usual; SHARES.len()] = pairs.try_into().map_err(|_| StateError::Sides(SHARES_USUAL))?;
        let is_usual = |m: f32, d: f32| m.is_finite() && d.is_finite() && d > 0.0;
        if !mean.data.iter().zip(&deviation.data).all(|(m, d)| is_usual(*m, *d)) {
            return Err(StateError::values(PLACES[0]));
        }
        if !shares.iter().all(|usual| is_usual(usual.centre, usual.spread)) {
            return Err(StateError::values(SHARES_USUAL));
        }
        let places = Places { mean: mean.data.clone(), deviation: deviation.data.clone() };
        let margin = match state.weights.get(MARGIN).map(|array| array.data.as_slice()) {
            None => 0,
            Some(&[margin]) if margin >= 0.0 && margin <= rows.min(columns) as f32 => margin as usize,
            Some(_) => return Err(StateError::values(MARGIN)),
        };
        Ok(Some(Self { grid: [rows, columns], margin, places, shares }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_score_and_damage_is_named() {
        let places = Places { mean: vec![1.0, 2.0], deviation: vec![0.5, 0.25] };
        let shares = [0, 1, 2].map(|i| Usual { centre: i as f32, spread: 1.0 + i as f32 });
        let score = ImageScore { grid: [1, 2], margin: 1, places, shares };
        let mut state = State::default();
        assert_eq!(ImageScore::kept(&state), Ok(None));
        score.keep(&mut state);
        assert_eq!(ImageScore::kept(&state), Ok(Some(score)));
        for (name, value) in
            [(PLACES[1], 0.0), (PLACES[0], f32::NAN), (SHARES_USUAL, f32::INFINITY), (MARGIN, f32::NAN)]
        {
            let mut damaged = state.clone();
            damaged.weights.get_mut(name).unwrap().data[0] = value;
            assert!(ImageScore::kept(&damaged).is_err(), "{name}");
        }
        state.weights.remove(SHARES_USUAL);
        assert!(ImageScore::kept(&state).is_err());
    }
}
