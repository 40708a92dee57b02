//! What a training teaches.

use networks::{StateError, Weights};
use tch::{Kind, Tensor};

use crate::method::TrainError;
use crate::samples::{SampleBatch, Samples};

/// What a training teaches: networks with their loss and their optimiser.
pub trait Learner {
    /// Whether the weights with the best selection figure are kept beside the last ones, to be chosen at the end.
    const KEEPS_BEST: bool = true;

    /// Computes the loss of the fit samples at these indices, in step number `step` (from 0), for backpropagation. It depends only on
    /// the parameters and these arguments, so that a resumed run computes the same as an uninterrupted one.
    ///
    /// # Errors
    /// If an image that is not kept in memory can no longer be read.
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError>;

    /// Returns whether training can go on after a step with this loss.
    fn is_sound(&self, loss: f64) -> bool {
        loss.is_finite()
    }

    /// Updates the parameters from their gradients, and clears these.
    fn update(&mut self, step: u64, rate: f64);

    /// Returns the parts of the last step's loss by name, for the metrics.
    fn loss_terms(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Prepares for a check on the selection images.
    ///
    /// # Errors
    /// As [`Self::loss`].
    fn before_check(&mut self, _fit: &mut Samples) -> Result<(), TrainError> {
        Ok(())
    }

    /// Computes the figure that chooses the checkpoint, the mean over these selection samples; lower is better.
    fn selection(&self, batch: &SampleBatch) -> f64;

    /// Returns the selection figure on a scale (at least 0) on which a change by one hundredth is the least that counts as progress.
    fn progress(&self, selection: f64) -> f64 {
        selection
    }

    /// Returns the number format that it expects of images.
    fn kind(&self) -> Kind;

    /// Returns the weights of the networks, by name.
    fn weights(&self) -> Weights;

    /// Adds what a checkpoint needs beside the weights.
    fn add_to(&self, state: &mut Weights);

    /// Loads the weights, and what [`Self::add_to`] added.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape; the error names it.
    fn load(&mut self, state: &Weights) -> Result<(), StateError>;
}
