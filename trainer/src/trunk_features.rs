//! The features that most trained methods work on: the teacher's levels of strides 8 and 16 on the grid of the former, each averaged over
//! 3×3 positions and scaled to mean 0 and deviation 1 on good parts. The teacher is frozen: methods share it as their trunk.

use methods::features::{Levels, add_features_of};
use networks::onnx::{GraphBuilder, Value};
use networks::{Network, StateError, Weights};
use tch::{Kind, Tensor};

use crate::channels::{Channels, measure, standardised};
use crate::method::TrainError;
use crate::samples::Samples;

/// The name of the channels in a run's state and in a model.
const TRUNK: &str = "trunk";

/// Computes the features from a backbone's levels (finest first), before they are scaled: N×C×h×w, in 32-bit floats.
pub fn features(fine: &Tensor, coarse: &Tensor) -> Tensor {
    let [fine, coarse] = [fine, coarse]
        .map(|level| level.to_kind(Kind::Float).avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None));
    let grid = [fine.size()[2], fine.size()[3]];
    Tensor::cat(&[&fine, &coarse.upsample_bilinear2d(grid, false, None, None)], 1)
}

/// The features of a backbone, with the statistics of its channels on good parts.
#[derive(Debug, Clone)]
pub struct TrunkFeatures {
    channels: Channels,
}

impl TrunkFeatures {
    /// Creates features that aren't scaled yet.
    #[must_use]
    pub fn unscaled(teacher: &Network) -> Self {
        let count = teacher.levels.iter().skip(1).filter_map(|&level| teacher.channels(level)).sum();
        Self { channels: Channels { mean: vec![0.0; count], deviation: vec![1.0; count] } }
    }

    /// Returns the number of channels.
    #[must_use]
    pub fn count(&self) -> usize {
        self.channels.mean.len()
    }

    /// Measures the channels on the fit images; returns `false` if a stop was requested.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn measure(&mut self, fit: &mut Samples) -> Result<bool, TrainError> {
        let measured = measure(fit, |levels| unscaled(levels).into_iter().collect())?;
        let Some(channels) = measured.and_then(|mut channels| channels.pop()) else { return Ok(false) };
        self.channels = channels;
        Ok(true)
    }

    /// Computes the features from the teacher's levels, N×C×h×w each.
    pub fn of(&self, levels: &[Tensor]) -> Tensor {
        unscaled(levels).map(|features| self.channels.normalise(&features)).unwrap_or_default()
    }

    /// Adds the features to a model. `image` is its input, and `levels` are the teacher's of it.
    pub fn add(&self, g: &mut GraphBuilder, image: &Value, levels: &[Value]) -> Value {
        let features = add_features_of(levels, Levels::Coarse, g, image);
        standardised(g, &features, &self.channels, TRUNK)
    }

    /// Adds the channels to a run's state.
    pub fn add_to(&self, state: &mut Weights) {
        self.channels.add_to(state, TRUNK);
    }

    /// Loads what [`Self::add_to`] added.
    ///
    /// # Errors
    /// If a value is missing or out of range; the error names it.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.channels = Channels::from_state(state, TRUNK, self.count())?;
        Ok(())
    }
}

fn unscaled(levels: &[Tensor]) -> Option<Tensor> {
    match levels {
        [_, fine, coarse] => Some(features(fine, coarse)),
        _ => None,
    }
}
