//! Stores the model as named arrays between fitting and export, restores it, and exports it.

use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, Weights};

use super::fit::CELLS;
use super::graph::{build, build_distances};
use super::model::Model;
use crate::features::{Projection, TileGrid};
use crate::image_score::ImageScorer;
use crate::method::{self, View};

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

    fn restore(state: &ModelState, _teacher: &Teacher, view: View) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let projection = Projection::from_arrays(get(PROJECTION[0])?, get(PROJECTION[1])?)
            .ok_or(StateError::Sides("projection"))?;
        let (mean, whitening) = (get(MEAN)?, get(WHITENING)?);
        let d = projection.outputs;
        let grid =
            TileGrid::new(view.tiles, [view.input.height, view.input.width].map(|side| side as usize / 8));
        let grid = grid.whole();
        let fits = |cell: &usize| whitening.shape == [grid[0] * grid[1] / (cell * cell), d, d];
        let cell = CELLS.into_iter().find(fits).filter(|_| mean.shape == [grid[0], grid[1], d]);
        let cell = cell.ok_or(StateError::Sides("Gaussians"))?;
        let arrays = [&mean.data, &whitening.data, &projection.mean, &projection.matrix];
        if arrays.iter().any(|data| data.iter().any(|x| !x.is_finite())) {
            return Err(StateError::values("Gaussians"));
        }
        let reach = state.number(REACH).filter(|reach| *reach <= MAX_REACH);
        let reach = reach.ok_or(StateError::values(REACH))?;
        let (mean, whitening) = (mean.data.clone(), whitening.data.clone());
        Ok(Self { projection, grid, mean, cell, whitening, reach })
    }

    fn onnx(&self, teacher: &Teacher, view: View, image_score: Option<&ImageScorer>) -> Vec<u8> {
        match image_score {
            Some(score) => build(teacher, self, view, score),
            None => build(teacher, self, view, &ImageScorer::plain(self.grid)),
        }
    }

    fn distances(&self, teacher: &Teacher, view: View) -> Option<Vec<u8>> {
        Some(build_distances(teacher, self, view))
    }
}
