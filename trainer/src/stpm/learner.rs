//! The student as it is trained.

use networks::{StateError, Weights};
use tch::{Kind, Tensor};

use super::comparison::Comparison;
use super::optimiser::Optimiser;
use crate::method::TrainError;
use crate::order::shuffled;
use crate::samples::{SampleBatch, Samples};
use crate::torch::Trainable;
use crate::training::{Learner, augmented_batch};

/// The share of a batch in BatchNorm's running statistics, as in the paper's code.
const PAPER_NORM_MOMENTUM: f64 = 0.1;
/// Number of fit samples that set BatchNorm's statistics for a check; after training all of them are used.
const CHECK_SAMPLES: usize = 64;

/// A student with the teacher's features to compare with.
pub struct Student {
    /// The student.
    pub network: Trainable,
    /// How it is compared with its teacher.
    pub comparison: Comparison,
    /// Its optimiser.
    pub optimiser: Optimiser,
    /// Whether the paper's schedule is followed.
    pub follows_the_paper: bool,
    /// The run's seed.
    pub seed: u64,
    /// Samples in a step.
    pub batch: usize,
}

impl Student {
    /// Computes the distances of the student's levels from the teacher's.
    pub fn distances(&self, batch: &SampleBatch, student: &[Tensor]) -> Vec<Tensor> {
        self.comparison.distances(&self.comparison.targets(&batch.targets), student)
    }

    /// Computes the residuals of the student's levels, in 32-bit floats.
    pub fn residuals(&self, batch: &SampleBatch) -> Vec<Tensor> {
        let levels = tch::no_grad(|| self.network.levels(&batch.image, None));
        self.comparison.residuals(&self.comparison.targets(&batch.targets), &levels)
    }

    /// Sets the BatchNorm statistics to the mean over batches of the first `samples` shuffled fit samples.
    /// Batches are composed as in training: files are in some order (by exposure, by module), and the variance within a batch
    /// of neighbours is not that of the parts.
    pub fn set_norms(
        &self,
        fit: &mut Samples,
        samples: usize,
        done: impl Fn(usize),
    ) -> Result<(), TrainError> {
        let order = shuffled(fit.count(), self.seed);
        let mut seen = 0;
        for indices in order[..samples.min(order.len())].chunks(self.batch) {
            // Each batch moves the running statistics by its share of the samples so far, so they end up as the mean over all.
            seen += indices.len();
            let momentum = indices.len() as f64 / seen as f64;
            let image = fit.batch(indices, self.kind())?.image;
            tch::no_grad(|| drop(self.network.levels(&image, Some(momentum))));
            done(indices.len());
        }
        Ok(())
    }
}

impl Learner for Student {
    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        let kind = self.kind();
        // Our statistics are recomputed when they are needed.
        let (batch, momentum) = if self.follows_the_paper {
            (fit.batch(indices, kind)?, PAPER_NORM_MOMENTUM)
        } else {
            (augmented_batch(fit, indices, kind, (self.seed, step))?, 0.0)
        };
        let levels = self.network.levels(&batch.image, Some(momentum));
        let distances = self.distances(&batch, &levels);
        let means: Vec<Tensor> = distances.iter().map(|d| d.mean(Kind::Float)).collect();
        Ok(Tensor::stack(&means, 0).sum(Kind::Float))
    }

    fn update(&mut self, step: u64, rate: f64) {
        self.optimiser.step(&mut self.network.parameters, step, rate);
    }

    fn before_check(&mut self, fit: &mut Samples) -> Result<(), TrainError> {
        if self.follows_the_paper { Ok(()) } else { self.set_norms(fit, CHECK_SAMPLES, |_| {}) }
    }

    /// Computes the mean of the distance maps, the official code's criterion.
    fn selection(&self, batch: &SampleBatch) -> f64 {
        let distances = self.distances(batch, &self.network.levels(&batch.image, None));
        distances.iter().map(|d| d.mean(Kind::Float).double_value(&[])).sum()
    }

    fn kind(&self) -> Kind {
        self.network.kind()
    }

    fn weights(&self) -> Weights {
        self.network.state()
    }

    fn add_to(&self, state: &mut Weights) {
        self.optimiser.add_to(state);
        self.comparison.add_to(state);
    }

    fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.network.load(state)?;
        self.optimiser.load(state)
    }
}
