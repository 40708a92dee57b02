//! What is rebuilt, and how far what was rebuilt is from it.

use networks::onnx::{GraphBuilder, Value};
use networks::{Chain, Network, StateError, Weights};
use networks::{feature_decoder, feature_encoder, picture_decoder, picture_encoder};
use shared_format::Size;
use tch::{Kind, Tensor};

use super::options::{Comparison, TargetChoice};
use crate::channels::{Channels, standardised};
use crate::distances::{add_dissimilarity, add_squared, dissimilarity, squared};
use crate::method::TrainError;
use crate::samples::{SampleBatch, Samples};
use crate::training::{GraphInputs, augmented_batch, augmented_images};
use crate::trunk_features::TrunkFeatures;

/// Halvings of a picture's sides on the way to its bottleneck.
const HALVINGS: usize = 5;

/// What is rebuilt.
#[derive(Debug)]
pub enum Target {
    /// The picture, as the teacher expects it: each channel with mean 0 and deviation 1 on natural photos.
    Pixels {
        /// From the teacher's colours back to 0..1.
        colours: Channels,
        /// How it is compared.
        comparison: Comparison,
    },
    /// The teacher's features of it.
    Features(TrunkFeatures),
}

impl Target {
    /// Returns the target that the options choose.
    #[must_use]
    pub fn of(target: TargetChoice, comparison: Comparison, teacher: &Network) -> Self {
        match target {
            TargetChoice::Pixels => {
                let pairs = teacher.mean.iter().zip(&teacher.std);
                let mean = pairs.map(|(mean, std)| -mean / std).collect();
                let deviation = teacher.std.iter().map(|std| 1.0 / std).collect();
                Self::Pixels { colours: Channels { mean, deviation }, comparison }
            }
            TargetChoice::Features => Self::Features(TrunkFeatures::unscaled(teacher)),
        }
    }

    /// Returns whether the teacher's levels are needed.
    #[must_use]
    pub fn uses_teacher(&self) -> bool {
        matches!(self, Self::Features(_))
    }

    /// Returns the pixels for each position of the map.
    #[must_use]
    pub fn map_stride(&self) -> usize {
        if self.uses_teacher() { 8 } else { 4 }
    }

    /// Returns the number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Pixels { .. } => 3,
            Self::Features(features) => features.count(),
        }
    }

    /// Returns encoder and decoder for an input of this size: `encoded` channels come out of the encoder, `latent` enter the decoder.
    #[must_use]
    pub fn codec(&self, input: Size, encoded: usize, latent: usize) -> [Chain; 2] {
        let channels = self.channels();
        match self {
            Self::Pixels { .. } => {
                let sides = [input.height as usize, input.width as usize];
                [
                    picture_encoder(channels, encoded, HALVINGS),
                    picture_decoder(sides, [latent, channels], HALVINGS, HALVINGS),
                ]
            }
            Self::Features(_) => [feature_encoder(channels, encoded), feature_decoder(latent, channels)],
        }
    }

    /// Measures good parts; returns `false` if a stop was requested.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn measure(&mut self, fit: &mut Samples) -> Result<bool, TrainError> {
        match self {
            Self::Pixels { .. } => Ok(true),
            Self::Features(features) => features.measure(fit),
        }
    }

    /// Returns the target of augmented samples, N×C×h×w.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    pub fn augmented(
        &self,
        fit: &mut Samples,
        indices: &[usize],
        seed: u64,
        step: u64,
    ) -> Result<Tensor, TrainError> {
        let kind = Kind::Float;
        match self {
            Self::Pixels { .. } => augmented_images(fit, indices, kind, (seed, step)),
            Self::Features(features) => {
                Ok(features.of(&augmented_batch(fit, indices, kind, (seed, step))?.targets))
            }
        }
    }

    /// Returns the target of samples, N×C×h×w.
    pub fn of_samples(&self, batch: &SampleBatch) -> Tensor {
        match self {
            Self::Pixels { .. } => batch.image.shallow_clone(),
            Self::Features(features) => features.of(&batch.targets),
        }
    }

    /// Computes the distance of what was rebuilt at each position of the target, N×1×h×w.
    pub fn distance(&self, target: &Tensor, rebuilt: &Tensor) -> Tensor {
        let difference = squared(target, rebuilt);
        match self {
            Self::Pixels { colours, comparison: Comparison::Ssim } => {
                let [target, rebuilt] = [target, rebuilt].map(|picture| colours.normalise(picture));
                difference + dissimilarity(&target, &rebuilt)
            }
            Self::Pixels { .. } | Self::Features(_) => difference,
        }
    }

    /// Returns the map for distances: that of features is the map, that of pixels is averaged over squares of 4 pixels, which removes
    /// noise that no camera repeats.
    pub fn map(&self, distance: &Tensor) -> Tensor {
        let halved = |x: &Tensor| x.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None);
        if self.uses_teacher() { distance.shallow_clone() } else { halved(&halved(distance)) }
    }

    /// Adds the target to a model.
    pub fn add(&self, g: &mut GraphBuilder, inputs: &GraphInputs) -> Value {
        match self {
            Self::Pixels { .. } => inputs.normalised.clone(),
            Self::Features(features) => features.add(g, &inputs.image, &inputs.levels),
        }
    }

    /// Adds [`Self::map`] of [`Self::distance`] to a model.
    pub fn add_map(
        &self,
        g: &mut GraphBuilder,
        inputs: &GraphInputs,
        target: &Value,
        rebuilt: &Value,
    ) -> Value {
        let difference = add_squared(g, target, rebuilt);
        let Self::Pixels { colours, comparison } = self else { return difference };
        let distance = match comparison {
            Comparison::L2 => difference,
            Comparison::Ssim => {
                let rebuilt = standardised(g, rebuilt, colours, "colours");
                let structure = add_dissimilarity(g, &inputs.image, &rebuilt);
                g.add(&difference, &structure)
            }
        };
        let halved = g.average_pool(&distance, 0);
        g.average_pool(&halved, 0)
    }

    /// Adds what was measured to a state.
    pub fn add_to(&self, state: &mut Weights) {
        if let Self::Features(features) = self {
            features.add_to(state);
        }
    }

    /// Loads what [`Self::add_to`] added.
    ///
    /// # Errors
    /// If it is missing or out of range.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        if let Self::Features(features) = self { features.load(state) } else { Ok(()) }
    }
}
