//! Methods: each learns from normal images in its own way and exports one ONNX model. One folder each; adding one
//! touches nothing else but [`all`].

pub mod padim;
pub mod patchcore;
#[cfg(feature = "libtorch")]
pub mod stpm;

mod fitting;

pub use fitting::Fitting;

use std::path::PathBuf;

use fit::features::FeatureError;
use fit::network::FoldError;
use judge::{DecodeError, PrepareError};

use crate::compute::{Resolved, Wanted};
use crate::run::{Run, RunError};

/// A way to learn what good parts look like.
pub trait Method {
    /// The name on the command line and in bundles.
    fn name(&self) -> &'static str;

    /// One sentence for `trainer train --help`.
    fn about(&self) -> &'static str;

    /// How long to train on `samples` samples, unless the user says; `None` for a method that is fitted in one pass.
    fn plan(&self, samples: usize) -> Option<Plan>;

    /// Where to compute, from what the user wants and this machine has; sets the number of threads.
    ///
    /// # Errors
    /// A sentence, where that can't be had.
    fn resolve(&self, wanted: Wanted) -> Result<Resolved, String>;

    /// Trains, or goes on from the run's checkpoint; or fits.
    ///
    /// # Errors
    /// Where an image vanished, the disk refuses, or training diverges.
    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError>;

    /// The trained model as ONNX: input `image` 1×3×H×W (RGB 0..1), outputs `anomaly_map` 1×1×H×W and `score` 1.
    ///
    /// # Errors
    /// Where the run has no student yet or a file of it is damaged.
    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError>;
}

/// The length of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Steps.
    pub steps: u64,
    /// Samples in a step.
    pub batch: usize,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// All steps are done.
    Finished {
        /// The step whose student was chosen.
        best_step: u64,
    },
    /// The method was fitted.
    Fitted {
        /// What there is now, in words.
        summary: String,
    },
    /// Someone asked to stop; a checkpoint is there, or for a fitted method nothing.
    Interrupted {
        /// Steps done.
        step: u64,
    },
}

/// Why a training or an export failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The run's folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An image doesn't decode any more.
    #[error("{path}: {source}; put the image back, or start a new run", path = path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// An image doesn't fit the recipe any more.
    #[error("{path}: {source}; put the image back, or start a new run", path = path.display())]
    Prepare {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        source: PrepareError,
    },
    /// The loss is not a number.
    #[error(
        "training diverged at step {step} (the loss is {loss}); start again with another --seed or --precision f32"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// The device is gone.
    #[error("{0}")]
    Device(String),
    /// The method can't do what was asked for.
    #[error("{0}")]
    Settings(String),
    /// Features of an image can't be had.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The student doesn't fit its teacher's architecture.
    #[error("the student can't be exported: {0}")]
    Fold(#[from] FoldError),
}

/// Every method.
#[must_use]
pub fn all() -> Vec<Box<dyn Method>> {
    vec![
        #[cfg(feature = "libtorch")]
        Box::new(stpm::Stpm),
        Box::new(patchcore::PatchCore),
        Box::new(padim::Padim),
    ]
}

/// The method with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Method>> {
    all().into_iter().find(|method| method.name() == name)
}
