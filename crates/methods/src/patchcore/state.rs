//! Stores the model as named arrays between fitting and export, restores it, and exports it.

use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, Weights};

use super::graph::{build, build_distances};
use super::model::{Model, Score};
use crate::features::Projection;
use crate::image_score::ImageScorer;
use crate::method::{self, View};
use crate::smoothing::{SMOOTHING_NOTE, smoothing_of};

const MEAN: &str = "projection.mean";
const MATRIX: &str = "projection.matrix";
const BANK: &str = "bank";
const NEIGHBOURS: &str = "neighbours";
const SCORE: &str = "score";

impl method::Model for Model {
    fn summary(&self) -> String {
        let (entries, dimensions) = (self.entries(), self.projection.outputs);
        let kib = entries * (dimensions + 1) * 4 / 1024;
        format!("a bank of {entries} entries × {dimensions} dimensions ({kib} KiB)")
    }

    fn state(&self) -> ModelState {
        let [mean, matrix] = self.projection.to_arrays();
        let bank = Array { shape: vec![self.entries(), self.projection.outputs], data: self.bank.clone() };
        let weights = [(MEAN, mean), (MATRIX, matrix), (BANK, bank)].map(|(name, a)| (name.to_owned(), a));
        let notes = [(NEIGHBOURS, self.neighbours.to_string()), (SMOOTHING_NOTE, self.smoothing.to_string())];
        let score = self.score.map(|score| (SCORE, score.name().to_owned()));
        let notes = notes.into_iter().chain(score).map(|(name, note)| (name.to_owned(), note));
        ModelState { weights: Weights::from(weights), notes: notes.collect() }
    }

    fn restore(state: &ModelState, _teacher: &Teacher, _view: View) -> Result<Self, StateError> {
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
        let score = state.notes.get(SCORE).map(|name| Score::by_name(name).ok_or(StateError::values(SCORE)));
        let score = score.transpose()?;
        let (bank, smoothing) = (bank.data.clone(), smoothing_of(state)?);
        Ok(Self { projection, bank, neighbours, score, smoothing })
    }

    fn onnx(&self, teacher: &Teacher, view: View, image_score: Option<&ImageScorer>) -> Vec<u8> {
        build(teacher, self, view.input, image_score)
    }

    fn distances(&self, teacher: &Teacher, view: View) -> Option<Vec<u8>> {
        self.score.is_none().then(|| build_distances(teacher, self, view.input))
    }
}
