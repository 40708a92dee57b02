//! What PaDiM has learned.

use std::collections::HashMap;

use crate::features::Projection;
use networks::resample::{SMOOTHING_NOTE, smoothing_of};
use networks::{Array, Weights};

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Features → dimensions.
    pub reduction: Projection,
    /// Positions × dimensions.
    pub mean: Vec<f32>,
    /// Cells × dimensions × dimensions for full covariances, cells × dimensions for diagonals; see
    /// [`super::Gaussians::finish`].
    pub whitening: Vec<f32>,
    /// Whether covariances are full.
    pub full: bool,
    /// Side of a cell, in positions.
    pub cell: usize,
    /// Smoothing of the distances, in positions of the features' grid.
    pub smoothing: f64,
}

const REDUCTION: [&str; 2] = ["reduction.mean", "reduction.matrix"];
const MEAN: &str = "gaussians.mean";
const WHITENING: &str = "gaussians.whitening";

impl Model {
    /// The model as named arrays and notes.
    #[must_use]
    pub fn to_weights(&self) -> (Weights, HashMap<String, String>) {
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
        (weights, [(SMOOTHING_NOTE.to_owned(), self.smoothing.to_string())].into())
    }

    /// What [`Self::to_weights`] gave, for `positions` positions.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    pub fn from_weights(
        weights: &Weights,
        notes: &HashMap<String, String>,
        positions: usize,
    ) -> Result<Self, String> {
        let get = |name: &str| weights.get(name).ok_or_else(|| format!("it has no `{name}`"));
        let reduction = Projection::from_arrays(get(REDUCTION[0])?, get(REDUCTION[1])?)
            .ok_or_else(|| "its reduction has impossible sides".to_owned())?;
        let (mean, whitening) = (get(MEAN)?, get(WHITENING)?);
        let d = reduction.outputs;
        let full = whitening.shape.len() == 3;
        let cells = whitening.shape.first().copied().unwrap_or(0);
        let cell = (positions / cells.max(1)).isqrt();
        let sides = if full { vec![cells, d, d] } else { vec![cells, d] };
        let fits =
            mean.shape == [positions, d] && whitening.shape == sides && cell * cell * cells == positions;
        let arrays = [&mean.data, &whitening.data, &reduction.mean, &reduction.matrix];
        if !fits || arrays.iter().any(|data| data.iter().any(|x| !x.is_finite())) {
            return Err("its Gaussians have impossible sides or values".to_owned());
        }
        let (mean, whitening) = (mean.data.clone(), whitening.data.clone());
        Ok(Self { reduction, mean, whitening, full, cell, smoothing: smoothing_of(notes)? })
    }
}
