//! The optimisers of a student, the paper's and ours.

use networks::{StateError, Weights};
use tch::Tensor;

use crate::schedule::Schedule;
use crate::torch::{Adam, Sgd, load_tensor, to_array};

/// The official recipe's momentum and weight decay.
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 1e-4;

/// The optimiser of a schedule.
#[derive(Debug)]
pub enum Optimiser {
    /// The paper's.
    Sgd(Sgd),
    /// Ours: in the same time the student gets far closer to its teacher.
    Adam(Adam),
}

impl Optimiser {
    /// Creates the optimiser for these parameters.
    pub fn new(schedule: Schedule, parameters: &[Tensor]) -> Self {
        match schedule {
            Schedule::Published => Self::Sgd(Sgd::new(parameters, MOMENTUM, WEIGHT_DECAY)),
            Schedule::Short => Self::Adam(Adam::new(parameters.iter(), 0.0)),
        }
    }

    /// Performs step number `step`, counted from 0, and clears the gradients.
    pub fn step(&mut self, parameters: &mut [Tensor], step: u64, rate: f64) {
        match self {
            Self::Sgd(sgd) => sgd.step(parameters, rate),
            Self::Adam(adam) => adam.step(parameters.iter_mut(), step, rate),
        }
    }

    /// Adds its state to a checkpoint.
    pub fn add_to(&self, state: &mut Weights) {
        match self {
            Self::Sgd(sgd) => {
                for (index, velocity) in sgd.velocities.iter().enumerate() {
                    state.insert(velocity_name(index), to_array(velocity));
                }
            }
            Self::Adam(adam) => adam.add_to(state),
        }
    }

    /// Loads what [`Self::add_to`] wrote.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn load(&mut self, state: &Weights) -> Result<(), StateError> {
        match self {
            Self::Sgd(sgd) => {
                let mut velocities = sgd.velocities.iter_mut().enumerate();
                velocities
                    .try_for_each(|(index, velocity)| load_tensor(state, &velocity_name(index), velocity))
            }
            Self::Adam(adam) => adam.load(state),
        }
    }
}

fn velocity_name(index: usize) -> String {
    format!("sgd.{index}.velocity")
}
