//! Stores the model as named arrays between fitting and export, restores it, and exports it.

use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, Weights};

use super::graph::build;
use super::model::Model;
use crate::image_score::ImageScorer;
use crate::method::{self, View};

const MEAN: &str = "gaussian.mean";
const WHITENING: &str = "gaussian.whitening";

impl method::Model for Model {
    fn summary(&self) -> String {
        format!("a Gaussian of {} channels", self.mean.len())
    }

    fn state(&self) -> ModelState {
        let channels = self.mean.len();
        let mean = Array { shape: vec![channels], data: self.mean.clone() };
        let whitening = Array { shape: vec![channels, channels], data: self.whitening.clone() };
        let weights = [(MEAN, mean), (WHITENING, whitening)].map(|(name, array)| (name.to_owned(), array));
        ModelState { weights: Weights::from(weights), ..ModelState::default() }
    }

    fn restore(state: &ModelState, teacher: &Teacher, _view: View) -> Result<Self, StateError> {
        let get = |name| state.weights.get(name).ok_or(StateError::missing(name));
        let (mean, whitening) = (get(MEAN)?, get(WHITENING)?);
        let levels = teacher.network.levels.iter();
        let channels: usize = levels.filter_map(|&level| teacher.network.channels(level)).sum();
        if mean.shape != [channels] || whitening.shape != [channels, channels] {
            return Err(StateError::Sides("Gaussian"));
        }
        if mean.data.iter().chain(&whitening.data).any(|x| !x.is_finite()) {
            return Err(StateError::values("Gaussian"));
        }
        Ok(Self { mean: mean.data.clone(), whitening: whitening.data.clone() })
    }

    fn onnx(&self, teacher: &Teacher, view: View, _image_score: Option<&ImageScorer>) -> Vec<u8> {
        build(teacher, self, view.input)
    }
}
