//! Stores the discriminants as named arrays between fitting and export.

use networks::{Array, ModelState, StateError};

use super::discriminants::Discriminants;
use crate::features::Projection;

const PROJECTION: [&str; 2] = ["defects.mean", "defects.matrix"];
const WEIGHTS: &str = "defects.weights";
const OFFSETS: &str = "defects.offsets";
const KINDS: &str = "defects.kinds";

impl Discriminants {
    /// Adds the discriminants to a model's state.
    pub fn add_to(&self, state: &mut ModelState) {
        let [mean, matrix] = self.projection.to_arrays();
        let [weights, offsets] =
            [&self.weights, &self.offsets].map(|data| Array { shape: vec![data.len()], data: data.clone() });
        let arrays = [(PROJECTION[0], mean), (PROJECTION[1], matrix), (WEIGHTS, weights), (OFFSETS, offsets)];
        state.weights.extend(arrays.map(|(name, array)| (name.to_owned(), array)));
        // A folder's name never holds a slash.
        state.notes.insert(KINDS.to_owned(), self.kinds.join("/"));
    }

    /// Reads back what [`Self::add_to`] added; `None` if it added nothing.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    pub fn from_state(state: &ModelState) -> Result<Option<Self>, StateError> {
        let Some(mean) = state.weights.get(PROJECTION[0]) else { return Ok(None) };
        let get = |name: &'static str| state.weights.get(name).ok_or(StateError::missing(name));
        let (matrix, weights, offsets) = (get(PROJECTION[1])?, get(WEIGHTS)?, get(OFFSETS)?);
        let projection = Projection::from_arrays(mean, matrix).ok_or(StateError::Sides("defects"))?;
        let kinds: Vec<String> =
            state.notes.get(KINDS).map_or(vec![], |names| names.split('/').map(str::to_owned).collect());
        if kinds.len() != projection.outputs || [weights, offsets].iter().any(|a| a.data.len() != kinds.len())
        {
            return Err(StateError::Sides("defects"));
        }
        let arrays = [mean, matrix, weights, offsets];
        if arrays.iter().any(|array| array.data.iter().any(|x| !x.is_finite())) {
            return Err(StateError::values("defects"));
        }
        Ok(Some(Self { kinds, projection, weights: weights.data.clone(), offsets: offsets.data.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_damage_is_named() {
        let projection = Projection { outputs: 2, mean: vec![1.0, 2.0, 3.0], matrix: vec![0.5; 6] };
        let kinds = vec!["scratch".to_owned(), "dent, deep".to_owned()];
        let taught = Discriminants { kinds, projection, weights: vec![0.5, 2.0], offsets: vec![-1.0, 0.25] };
        let mut state = ModelState::default();
        assert_eq!(Discriminants::from_state(&state), Ok(None));
        taught.add_to(&mut state);
        assert_eq!(Discriminants::from_state(&state), Ok(Some(taught)));
        for (name, value) in [(PROJECTION[0], f32::NAN), (PROJECTION[1], f32::INFINITY), (OFFSETS, f32::NAN)]
        {
            let mut damaged = state.clone();
            damaged.weights.get_mut(name).unwrap().data[0] = value;
            assert!(Discriminants::from_state(&damaged).is_err(), "{name}");
            damaged.weights.remove(name);
            assert!(name == PROJECTION[0] || Discriminants::from_state(&damaged).is_err(), "{name}");
        }
        state.notes.insert(KINDS.to_owned(), "scratch".to_owned());
        assert!(Discriminants::from_state(&state).is_err());
    }
}
