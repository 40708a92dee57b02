//! The model between fitting and export: as named arrays, and back; and what is exported of it.

use networks::teacher::Teacher;
use networks::{Array, State, StateError, Weights};
use shared_format::Size;

use super::graph::build;
use super::model::{Model, Places, Score};
use crate::features::Projection;
use crate::method;
use crate::smoothing::{SMOOTHING_NOTE, smoothing_of};

const MEAN: &str = "projection.mean";
const MATRIX: &str = "projection.matrix";
const BANK: &str = "bank";
const NEIGHBOURS: &str = "neighbours";
const SCORE: &str = "score";
const PLACES: [&str; 2] = ["places.mean", "places.deviation"];

impl method::Model for Model {
    fn summary(&self) -> String {
        let (entries, dimensions) = (self.entries(), self.projection.outputs);
        let kib = entries * (dimensions + 1) * 4 / 1024;
        format!("a bank of {entries} entries × {dimensions} dimensions ({kib} KiB)")
    }

    fn state(&self) -> State {
        let [mean, matrix] = self.projection.to_arrays();
        let bank = Array { shape: vec![self.entries(), self.projection.outputs], data: self.bank.clone() };
        let weights = [(MEAN, mean), (MATRIX, matrix), (BANK, bank)].map(|(name, a)| (name.to_owned(), a));
        let notes = [
            (NEIGHBOURS, self.neighbours.to_string()),
            (SCORE, self.score.name().to_owned()),
            (SMOOTHING_NOTE, self.smoothing.to_string()),
        ];
        let mut weights = Weights::from(weights);
        if let Some(places) = &self.places {
            weights.insert(PLACES[0].to_owned(), places.mean.clone());
            weights.insert(PLACES[1].to_owned(), places.deviation.clone());
        }
        State { weights, notes: notes.map(|(name, note)| (name.to_owned(), note)).into() }
    }

    fn restore(state: &State, _teacher: &Teacher, _input: Size) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let projection =
            Projection::from_arrays(get(MEAN)?, get(MATRIX)?).ok_or(StateError::Sides("projection"))?;
        let bank = get(BANK)?;
        if bank.shape.len() != 2 || bank.shape[1] != projection.outputs || bank.shape[0] == 0 {
            return Err(StateError::Sides(BANK));
        }
        let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
        if !(finite(&bank.data) && finite(&projection.mean) && finite(&projection.matrix)) {
            return Err(StateError::values(BANK));
        }
        let neighbours = state.number(NEIGHBOURS).filter(|n| (1..=bank.shape[0]).contains(n));
        let neighbours = neighbours.ok_or(StateError::values(NEIGHBOURS))?;
        let score = state.notes.get(SCORE).and_then(|name| Score::by_name(name));
        let score = score.ok_or(StateError::values(SCORE))?;
        let places = places(&state.weights)?;
        if score == Score::Standardised && places.is_none() {
            return Err(StateError::missing(PLACES[0]));
        }
        let (bank, smoothing) = (bank.data.clone(), smoothing_of(state)?);
        Ok(Self { projection, bank, neighbours, score, places, smoothing })
    }

    fn onnx(&self, teacher: &Teacher, input: Size) -> Vec<u8> {
        build(teacher, self, input, false)
    }
}

fn places(weights: &Weights) -> Result<Option<Places>, StateError> {
    let Some((mean, deviation)) = weights.get(PLACES[0]).zip(weights.get(PLACES[1])) else { return Ok(None) };
    if mean.shape != deviation.shape || mean.shape.len() != 2 {
        return Err(StateError::Sides("statistics by place"));
    }
    let is_usual = |(m, d): (&f32, &f32)| m.is_finite() && d.is_finite() && *d > 0.0;
    if !mean.data.iter().zip(&deviation.data).all(is_usual) {
        return Err(StateError::values("statistics by place"));
    }
    Ok(Some(Places { mean: mean.clone(), deviation: deviation.clone() }))
}
