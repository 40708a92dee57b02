//! Stores the model as named arrays between fitting and export, restores it, and exports it.

use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, Weights};
use shared_format::Size;

use super::graph::{build, build_distances};
use super::model::Model;
use super::windows::SIDE;
use crate::features::Projection;
use crate::image_score::ImageScorer;
use crate::method;

const PROJECTION: [&str; 2] = ["projection.mean", "projection.matrix"];
const MEAN: &str = "gaussians.mean";
const WHITENING: &str = "gaussians.whitening";
const REACH: &str = "reach";
const MAX_REACH: usize = 3;

impl method::Model for Model {
    fn summary(&self) -> String {
        let d = self.projection.outputs;
        format!(
            "Gaussians of {d} dimensions at {} positions ({:.1} MB)",
            self.mean.len() / d,
            (self.mean.len() + self.whitening.len()) as f64 * 4e-6
        )
    }

    fn state(&self) -> ModelState {
        let [mean, matrix] = self.projection.to_arrays();
        let (d, [rows, columns]) = (self.projection.outputs, self.grid);
        let cells = self.whitening.len() / (d * d);
        let weights = [
            (PROJECTION[0], mean),
            (PROJECTION[1], matrix),
            (MEAN, Array { shape: vec![rows, columns, d], data: self.mean.clone() }),
            (WHITENING, Array { shape: vec![cells, d, d], data: self.whitening.clone() }),
        ];
        ModelState {
            weights: Weights::from(weights.map(|(name, array)| (name.to_owned(), array))),
            notes: [(REACH.to_owned(), self.reach.to_string())].into(),
        }
    }

    fn restore(state: &ModelState, _teacher: &Teacher, input: Size) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let projection = Projection::from_arrays(get(PROJECTION[0])?, get(PROJECTION[1])?)
            .ok_or(StateError::Sides("projection"))?;
        let (mean, whitening) = (get(MEAN)?, get(WHITENING)?);
        let d = projection.outputs;
        let grid = [input.height as usize / 8, input.width as usize / 8];
        let cells = grid[0] * grid[1] / (SIDE * SIDE);
        if mean.shape != [grid[0], grid[1], d] || whitening.shape != [cells, d, d] {
            return Err(StateError::Sides("Gaussians"));
        }
        let arrays = [&mean.data, &whitening.data, &projection.mean, &projection.matrix];
        if arrays.iter().any(|data| data.iter().any(|x| !x.is_finite())) {
            return Err(StateError::values("Gaussians"));
        }
        let reach = state.number(REACH).filter(|reach| *reach <= MAX_REACH);
        let reach = reach.ok_or(StateError::values(REACH))?;
        Ok(Self { projection, grid, mean: mean.data.clone(), whitening: whitening.data.clone(), reach })
    }

    fn onnx(&self, teacher: &Teacher, input: Size, image_score: Option<&ImageScorer>) -> Vec<u8> {
        match image_score {
            Some(score) => build(teacher, self, input, score),
            None => build(teacher, self, input, &ImageScorer::plain(self.grid)),
        }
    }

    fn distances(&self, teacher: &Teacher, input: Size) -> Option<Vec<u8>> {
        Some(build_distances(teacher, self, input))
    }
}
