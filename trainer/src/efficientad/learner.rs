//! Student and autoencoder as they are trained.

use std::path::Path;

use networks::{StateError, Weights};
use shared_format::Size;
use tch::{Kind, Tensor};

use super::augment::Augmentation;
use super::losses::{hard_feature_loss, mean_square};
use super::networks::Networks;
use super::teacher_view::TeacherView;
use crate::method::TrainError;
use crate::natural::{Natural, NaturalError};
use crate::samples::{SampleBatch, Samples};
use crate::torch::channels_last;
use crate::training::{Learner, seed_step};

/// The parts of the loss, in order, as the metrics name them.
const LOSS_TERMS: [&str; 4] = ["student", "natural", "autoencoder", "student_autoencoder"];

/// Student and autoencoder with what they learn from.
#[derive(Debug)]
pub struct EfficientAdLearner {
    /// The networks.
    pub networks: Networks,
    /// The teacher, as the student sees it.
    pub view: TeacherView,
    /// Natural photos, at twice the input's size.
    pub natural: Option<Natural>,
    /// The student learns from the features whose differences reach this quantile.
    pub hard: f64,
    /// The input's size.
    pub input: Size,
    /// The run's seed.
    pub seed: u64,
    /// The parts of the last step's loss.
    pub last: [f64; LOSS_TERMS.len()],
}

impl EfficientAdLearner {
    /// Computes the unscaled maps of samples.
    pub fn maps(&self, batch: &SampleBatch) -> [Tensor; 2] {
        let student_input = self.view.student_input(&batch.image, &batch.targets);
        self.networks.maps(&batch.image, &student_input, &self.view.target(&batch.targets))
    }
}

impl Learner for EfficientAdLearner {
    /// The last step's networks count, as in the paper.
    const KEEPS_BEST: bool = false;

    fn loss(&mut self, fit: &mut Samples, indices: &[usize], step: u64) -> Result<Tensor, TrainError> {
        // For dropout.
        seed_step(self.seed, step);
        let augmentation =
            Augmentation::new(self.seed, step, self.natural.as_ref().map_or(0, Natural::count));
        let batch = fit.batch(indices, Kind::Float)?;
        let device = batch.image.device();
        let [mean, std] = fit.channels().map(|values| values.to_device(device));
        let changed = (augmentation.apply(&(&batch.image * &std + &mean)) - &mean) / &std;
        let changed = channels_last(&changed);
        let photo = match &mut self.natural {
            Some(natural) => {
                let photo = centre_crop(&natural.photo(augmentation.photo, augmentation.grey)?, self.input);
                Some(channels_last(&((photo.to_device(device) - &mean) / &std)))
            }
            None => None,
        };
        let changed_levels = self.view.levels(&changed);
        let target = self.view.target(&batch.targets);
        let changed_target = self.view.target(&changed_levels);
        // The student processes all of a step's images at once: fewer, larger products.
        let count = batch.image.size()[0];
        let mut student_inputs = vec![
            self.view.student_input(&batch.image, &batch.targets),
            self.view.student_input(&changed, &changed_levels),
        ];
        student_inputs.extend(photo.as_ref().map(|photo| self.view.student_input_for(photo)));
        let photos = student_inputs.len() as i64 - 2;
        let [for_teacher, for_autoencoder] =
            self.networks.student(&channels_last(&Tensor::cat(&student_inputs, 0)));
        let reproduced = self.networks.autoencoder(&changed, true);
        let natural = for_teacher.narrow(0, 2 * count, photos);
        let losses = [
            hard_feature_loss(&target, &for_teacher.narrow(0, 0, count), self.hard),
            if self.natural.is_some() {
                (&natural * &natural).mean(Kind::Float)
            } else {
                Tensor::zeros([], (Kind::Float, device))
            },
            mean_square(&changed_target, &reproduced),
            mean_square(&reproduced, &for_autoencoder.narrow(0, count, count)),
        ];
        self.last = losses.each_ref().map(|loss| loss.double_value(&[]));
        Ok(Tensor::stack(&losses, 0).sum(Kind::Float))
    }

    fn update(&mut self, step: u64, rate: f64) {
        self.networks.step(step, rate);
    }

    fn loss_terms(&self) -> Vec<(&'static str, f64)> {
        LOSS_TERMS.into_iter().zip(self.last).collect()
    }

    fn selection(&self, batch: &SampleBatch) -> f64 {
        self.maps(batch).iter().map(|map| map.mean(Kind::Double).double_value(&[])).sum()
    }

    fn kind(&self) -> Kind {
        Kind::Float
    }

    fn weights(&self) -> Weights {
        self.networks.weights()
    }

    fn add_to(&self, state: &mut Weights) {
        self.networks.add_optimiser_to(state);
        self.view.add_to(state);
    }

    fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.networks.load(state)
    }
}

/// Opens the natural photos at twice the input's size; their middle is shown.
///
/// # Errors
/// If there aren't as many as at the start.
pub fn open_natural(folder: &Path, count: usize, input: Size) -> Result<Natural, NaturalError> {
    let size = Size { width: 2 * input.width, height: 2 * input.height };
    Natural::open(folder, size, Some(count))
}

fn centre_crop(photo: &Tensor, size: Size) -> Tensor {
    let (height, width) = (i64::from(size.height), i64::from(size.width));
    photo.narrow(2, height / 2, height).narrow(3, width / 2, width)
}
