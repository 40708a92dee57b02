//! Student and autoencoder with their optimiser.

use networks::{StateError, Weights};
use shared_format::Size;
use tch::{Kind, Tensor};

use super::layout::EfficientAdLayout;
use crate::torch::{Adam, Compute, TrainableChain};

const WEIGHT_DECAY: f64 = 1e-5;
const STUDENT: &str = "student.";
const AUTOENCODER: &str = "autoencoder.";

/// The two networks with their optimiser.
#[derive(Debug)]
pub struct Networks {
    student: TrainableChain,
    autoencoder: TrainableChain,
    adam: Adam,
    features: i64,
}

impl Networks {
    /// Creates the networks with random weights from libtorch's global generator.
    #[must_use]
    pub fn random(layout: EfficientAdLayout, input: Size, compute: Compute) -> Self {
        let student = TrainableChain::random(layout.student(), compute);
        let autoencoder = TrainableChain::random(layout.autoencoder(input), compute);
        let adam = Adam::new(student.parameters.iter().chain(&autoencoder.parameters), WEIGHT_DECAY);
        Self { student, autoencoder, adam, features: layout.features() as i64 }
    }

    /// Computes the student's features for the teacher, and those for the autoencoder. It starts from `student_input`, N×C×H×W: the image or
    /// the trunk's level.
    pub fn student(&self, student_input: &Tensor) -> [Tensor; 2] {
        let both = self.student.forward(student_input, true);
        [0, self.features].map(|first| both.narrow(1, first, self.features))
    }

    /// Computes the autoencoder's features.
    pub fn autoencoder(&self, image: &Tensor, training: bool) -> Tensor {
        self.autoencoder.forward(image, training)
    }

    /// Computes `map_structural` and `map_logical` of images before their scaling, N×1×h×w. `target` are the teacher's normalised
    /// features.
    pub fn maps(&self, image: &Tensor, student_input: &Tensor, target: &Tensor) -> [Tensor; 2] {
        tch::no_grad(|| {
            let [structural, logical] = self.student(student_input);
            let reproduced = self.autoencoder(image, false);
            [(target, structural), (&reproduced, logical)].map(|(a, b)| {
                let difference = a - b;
                (&difference * &difference).mean_dim([1i64].as_slice(), true, Kind::Float)
            })
        })
    }

    /// Updates the parameters from their gradients.
    pub fn step(&mut self, step: u64, rate: f64) {
        let parameters = self.student.parameters.iter_mut().chain(&mut self.autoencoder.parameters);
        self.adam.step(parameters, step, rate);
    }

    /// Switches to 32-bit floats, as in the exported model.
    pub fn set_exact(&mut self) {
        self.student.set_kind(Kind::Float);
        self.autoencoder.set_kind(Kind::Float);
    }

    /// Returns the weights under their names.
    #[must_use]
    pub fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.student.add_to(&mut weights, STUDENT);
        self.autoencoder.add_to(&mut weights, AUTOENCODER);
        weights
    }

    /// Adds the optimiser's state.
    pub fn add_optimiser_to(&self, state: &mut Weights) {
        self.adam.add_to(state);
    }

    /// Loads weights and optimiser.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        self.student.load(state, STUDENT)?;
        self.autoencoder.load(state, AUTOENCODER)?;
        self.adam.load(state)
    }
}
