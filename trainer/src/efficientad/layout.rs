//! The layout of EfficientAD's networks, which depends on the teacher.

use networks::{AutoencoderGrid, Chain, Network, PdnSize, StateError, Weights, autoencoder, trunk_student};
use shared_format::Size;
use tch::Tensor;

use super::hyperparameters::Hyperparameters;
use super::statistics::{TEACHER, TRUNK};
use crate::channels::Channels;
use crate::schedule::Schedule;
use crate::trunk_features;

/// The layout of student and autoencoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EfficientAdLayout {
    /// As published: teacher and student are patch description networks.
    Patches(PdnSize),
    /// The teacher is a backbone, and the student continues from its first level: they share a trunk. The features to learn are
    /// the levels of strides 8 and 16, each averaged over 3×3 positions, on the grid of stride 8.
    Trunk {
        /// Channel counts of the backbone's levels of strides 4, 8 and 16.
        channels: [usize; 3],
    },
}

impl EfficientAdLayout {
    /// Returns the layout for this teacher; `None` if it is neither a patch description network nor a backbone with three levels.
    #[must_use]
    pub fn of(teacher: &Network) -> Option<Self> {
        if let Some(size) = PdnSize::of(teacher.name) {
            return Some(Self::Patches(size));
        }
        let channels: Option<Vec<usize>> =
            teacher.levels.iter().map(|&level| teacher.channels(level)).collect();
        Some(Self::Trunk { channels: channels?.try_into().ok()? })
    }

    /// Returns the number of channels of the features to learn.
    #[must_use]
    pub const fn features(self) -> usize {
        match self {
            Self::Patches(size) => size.features(),
            Self::Trunk { channels: [_, fine, coarse] } => fine + coarse,
        }
    }

    /// Returns the number of channels of the teacher's level that the student starts from; `None` if it starts from the image.
    #[must_use]
    pub const fn trunk(self) -> Option<usize> {
        match self {
            Self::Patches(_) => None,
            Self::Trunk { channels: [trunk, ..] } => Some(trunk),
        }
    }

    /// Reads the channels in a run's state: of the features, and of the level that the student starts from.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn channels(self, state: &Weights) -> Result<(Channels, Option<Channels>), StateError> {
        let features = Channels::from_state(state, TEACHER, self.features())?;
        let trunk = self.trunk().map(|count| Channels::from_state(state, TRUNK, count)).transpose()?;
        Ok((features, trunk))
    }

    /// Returns the student, with twice the features: the first half for the teacher's, the second for the autoencoder's.
    #[must_use]
    pub fn student(self) -> Chain {
        match self {
            Self::Patches(size) => size.student(),
            Self::Trunk { channels: [trunk, ..] } => trunk_student(trunk, 2 * self.features()),
        }
    }

    /// Returns the autoencoder for this input size.
    #[must_use]
    pub fn autoencoder(self, input: Size) -> Chain {
        let grid = match self {
            Self::Patches(_) => AutoencoderGrid::Patches,
            Self::Trunk { .. } => AutoencoderGrid::Eighth,
        };
        autoencoder([input.height as usize, input.width as usize], self.features(), grid)
    }

    /// Returns the share of the logical map in the anomaly map. The paper's share of a half outlines defects worse if features
    /// reach far (this folder's README has figures).
    #[must_use]
    pub const fn logical_share(self) -> f32 {
        match self {
            Self::Patches(_) => 0.5,
            Self::Trunk { .. } => 0.1,
        }
    }

    /// Returns the number of positions that the maps lack on each side.
    #[must_use]
    pub const fn margin(self) -> usize {
        match self {
            Self::Patches(_) => 4,
            Self::Trunk { .. } => 0,
        }
    }

    /// Computes the features to learn from the teacher's levels, N×C×h×w.
    pub fn target(self, levels: &[Tensor]) -> Tensor {
        match (self, levels) {
            (Self::Trunk { .. }, [_, fine, coarse]) => trunk_features::features(fine, coarse),
            (_, levels) => levels.iter().map(Tensor::shallow_clone).next().unwrap_or_default(),
        }
    }

    /// Returns the student's hyperparameters on this schedule.
    #[must_use]
    pub const fn hyperparameters(self, schedule: Schedule) -> Hyperparameters {
        match (self, schedule) {
            (_, Schedule::Published) => Hyperparameters::PUBLISHED,
            (Self::Patches(_), Schedule::Short) => Hyperparameters {
                rate: 1e-3,
                steps: 3_000,
                minutes: Some(60.0),
                ..Hyperparameters::PUBLISHED
            },
            (Self::Trunk { .. }, Schedule::Short) => {
                Hyperparameters { rate: 2e-3, hard: 0.9, batch: 4, steps: 1_000, minutes: Some(10.0) }
            }
        }
    }
}
