//! Stores the model as named arrays between fitting and export, restores it, and exports it.

use networks::teacher::Teacher;
use networks::{Array, ModelState, StateError, Weights};

use super::graph::build;
use super::model::Model;
use crate::image_score::ImageScorer;
use crate::method::{self, View};

const MEAN: &str = "mixture.mean";
const WHITENING: &str = "mixture.whitening";
const CENTRES: &str = "mixture.centres";
const SCALE: &str = "mixture.scale";
const OFFSETS: &str = "mixture.offsets";

impl method::Model for Model {
    fn summary(&self) -> String {
        let (count, channels) = (self.count(), self.mean.len());
        match (count, &self.whitening) {
            (1, Some(_)) => format!("a Gaussian of {channels} channels"),
            (1, None) => format!("a Gaussian of {channels} channels, each by itself"),
            (_, Some(_)) => format!("{count} Gaussians of {channels} channels with one covariance"),
            (_, None) => format!("{count} Gaussians of {channels} channels, each by itself"),
        }
    }

    fn state(&self) -> ModelState {
        let (count, channels) = (self.count(), self.mean.len());
        let arrays = [
            (MEAN, vec![channels], Some(&self.mean)),
            (WHITENING, vec![channels, channels], self.whitening.as_ref()),
            (CENTRES, vec![count, channels], Some(&self.centres)),
            (SCALE, vec![count, channels], self.scale.as_ref()),
            (OFFSETS, vec![count], Some(&self.offsets)),
        ];
        let given = arrays
            .into_iter()
            .filter_map(|(name, shape, data)| Some((name.to_owned(), Array { shape, data: data?.clone() })));
        ModelState { weights: given.collect::<Weights>(), ..ModelState::default() }
    }

    fn restore(state: &ModelState, teacher: &Teacher, _view: View) -> Result<Self, StateError> {
        let levels = teacher.network.levels.iter();
        let channels: usize = levels.filter_map(|&level| teacher.network.channels(level)).sum();
        let offsets = state.weights.get(OFFSETS).ok_or(StateError::missing(OFFSETS))?;
        let count = offsets.data.len();
        let optional = |name: &'static str, shape: &[usize]| -> Result<Option<Vec<f32>>, StateError> {
            let Some(array) = state.weights.get(name) else { return Ok(None) };
            if array.shape != shape || count == 0 {
                return Err(StateError::Sides("mixture"));
            }
            if array.data.iter().any(|x| !x.is_finite()) {
                return Err(StateError::values(name));
            }
            Ok(Some(array.data.clone()))
        };
        let get =
            |name: &'static str, shape: &[usize]| optional(name, shape)?.ok_or(StateError::missing(name));
        let whitening = optional(WHITENING, &[channels, channels])?;
        let scale = if whitening.is_none() { Some(get(SCALE, &[count, channels])?) } else { None };
        Ok(Self {
            mean: get(MEAN, &[channels])?,
            whitening,
            centres: get(CENTRES, &[count, channels])?,
            scale,
            offsets: get(OFFSETS, &[count])?,
        })
    }

    fn onnx(&self, teacher: &Teacher, view: View, _image_score: Option<&ImageScorer>) -> Vec<u8> {
        build(teacher, self, view.input)
    }
}
