//! The student's inputs and targets.

use networks::{StateError, Weights};
use tch::Tensor;

use super::layout::EfficientAdLayout;
use super::statistics::{TEACHER, TRUNK};
use crate::channels::{Channels, measure};
use crate::method::TrainError;
use crate::samples::Samples;
use crate::torch::Frozen;

/// A teacher with the statistics of its channels on good parts.
#[derive(Debug)]
pub struct TeacherView {
    layout: EfficientAdLayout,
    teacher: Frozen,
    channels: Channels,
    /// Channels of the level that the student starts from.
    trunk: Option<Channels>,
}

impl TeacherView {
    /// Measures the channels on the fit images; returns `None` if a stop was requested.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn measured(
        layout: EfficientAdLayout,
        teacher: Frozen,
        fit: &mut Samples,
    ) -> Result<Option<Self>, TrainError> {
        let channels = measure(fit, |levels| {
            let trunk = layout.trunk().and(levels.first()).map(Tensor::shallow_clone);
            [layout.target(levels)].into_iter().chain(trunk).collect()
        })?;
        let Some(mut channels) = channels else { return Ok(None) };
        let trunk = layout.trunk().and_then(|_| channels.pop());
        Ok(channels.pop().map(|channels| Self { layout, teacher, channels, trunk }))
    }

    /// Restores the channels from a run's state.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn restored(layout: EfficientAdLayout, teacher: Frozen, state: &Weights) -> Result<Self, StateError> {
        let (channels, trunk) = layout.channels(state)?;
        Ok(Self { layout, teacher, channels, trunk })
    }

    /// Adds the channels that [`Self::restored`] reads.
    pub fn add_to(&self, state: &mut Weights) {
        self.channels.add_to(state, TEACHER);
        if let Some(trunk) = &self.trunk {
            trunk.add_to(state, TRUNK);
        }
    }

    /// Computes the teacher's levels of normalised images (N×3×H×W) that aren't samples.
    pub fn levels(&self, image: &Tensor) -> Vec<Tensor> {
        self.teacher.levels(&image.to_kind(self.teacher.kind()))
    }

    /// Computes the normalised features to learn.
    pub fn target(&self, levels: &[Tensor]) -> Tensor {
        self.channels.normalise(&self.layout.target(levels))
    }

    /// Returns the student's input for an image and its levels.
    pub fn student_input(&self, image: &Tensor, levels: &[Tensor]) -> Tensor {
        match (&self.trunk, levels.first()) {
            (Some(trunk), Some(level)) => trunk.normalise(level),
            _ => image.shallow_clone(),
        }
    }

    /// Computes the student's input for a normalised image that isn't a sample.
    pub fn student_input_for(&self, image: &Tensor) -> Tensor {
        // The teacher isn't needed if the student starts from the image.
        let levels = if self.trunk.is_some() { self.levels(image) } else { vec![] };
        self.student_input(image, &levels)
    }
}
