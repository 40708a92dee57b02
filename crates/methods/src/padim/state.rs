//! Stores the model as named arrays between fitting and export, restores it, and exports it.

use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, Weights};

use super::graph::{build, build_distances};
use super::model::Model;
use super::options::percent;
use crate::features::{Projection, positions};
use crate::image_score::ImageScorer;
use crate::method::{self, View};
use crate::smoothing::{SMOOTHING_NOTE, smoothing_of};

const REDUCTION: [&str; 2] = ["reduction.mean", "reduction.matrix"];
const MEAN: &str = "gaussians.mean";
const WHITENING: &str = "gaussians.whitening";
const WORST_NOTE: &str = "worst";

impl method::Model for Model {
    fn summary(&self) -> String {
        let d = self.reduction.outputs;
        format!(
            "Gaussians of {d} dimensions at {} positions, {} covariances ({:.1} MB)",
            self.mean.len() / d,
            if self.full { "full" } else { "diagonal" },
            (self.mean.len() + self.whitening.len()) as f64 * 4e-6
        )
    }

    fn state(&self) -> ModelState {
        let [mean, matrix] = self.reduction.to_arrays();
        let d = self.reduction.outputs;
        let positions = self.mean.len() / d;
        let cells = positions / (self.cell * self.cell).max(1);
        let shape = if self.full { vec![cells, d, d] } else { vec![cells, d] };
        let weights = Weights::from(
            [
                (REDUCTION[0], mean),
                (REDUCTION[1], matrix),
                (MEAN, Array { shape: vec![positions, d], data: self.mean.clone() }),
                (WHITENING, Array { shape, data: self.whitening.clone() }),
            ]
            .map(|(name, array)| (name.to_owned(), array)),
        );
        let notes = [(SMOOTHING_NOTE, Some(self.smoothing)), (WORST_NOTE, self.worst)];
        let notes = notes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())));
        ModelState { weights, notes: notes.collect() }
    }

    fn restore(state: &ModelState, teacher: &Teacher, view: View) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let reduction = Projection::from_arrays(get(REDUCTION[0])?, get(REDUCTION[1])?)
            .ok_or(StateError::Sides("reduction"))?;
        let (mean, whitening) = (get(MEAN)?, get(WHITENING)?);
        let d = reduction.outputs;
        let full = whitening.shape.len() == 3;
        let positions = positions(teacher, view);
        let cells = whitening.shape.first().copied().unwrap_or(0);
        let cell = (positions / cells.max(1)).isqrt();
        let sides = if full { vec![cells, d, d] } else { vec![cells, d] };
        if mean.shape != [positions, d] || whitening.shape != sides || cell * cell * cells != positions {
            return Err(StateError::Sides("Gaussians"));
        }
        let arrays = [&mean.data, &whitening.data, &reduction.mean, &reduction.matrix];
        if arrays.iter().any(|data| data.iter().any(|x| !x.is_finite())) {
            return Err(StateError::values("Gaussians"));
        }
        let (mean, whitening) = (mean.data.clone(), whitening.data.clone());
        let (worst, smoothing) = (worst_of(state)?, smoothing_of(state)?);
        Ok(Self { reduction, mean, whitening, full, cell, worst, smoothing })
    }

    fn onnx(&self, teacher: &Teacher, view: View, image_score: Option<&ImageScorer>) -> Vec<u8> {
        build(teacher, self, view, image_score)
    }

    fn distances(&self, teacher: &Teacher, view: View) -> Option<Vec<u8>> {
        self.worst.is_none().then(|| build_distances(teacher, self, view))
    }
}

fn worst_of(state: &ModelState) -> Result<Option<f64>, StateError> {
    let worst = state.notes.get(WORST_NOTE).map(|text| percent(text));
    worst.transpose().map_err(|_| StateError::values(WORST_NOTE))
}
