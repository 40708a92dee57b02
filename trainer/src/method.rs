//! What a method of the trainer is: it learns from normal images and exports one ONNX model.

use std::path::PathBuf;

use bundle::Calibrator;
use clap::ArgMatches;
use judge::{DecodeError, PrepareError};
use methods::cross_fit::CrossFitError;
use methods::method::FitError;
use methods::options::Listed;
use networks::FoldError;
use networks::teacher::Teacher;
use serde_json::Value;

use crate::compute::{ComputeError, Resolved, Wanted};
#[cfg(feature = "libtorch")]
use crate::natural::NaturalError;
use crate::run::{Run, RunError, Settings};

/// A way to learn what good parts look like.
pub trait Method {
    /// The name on the command line and in bundles.
    fn name(&self) -> &'static str;

    /// One sentence for `trainer train --help`.
    fn about(&self) -> &'static str;

    /// Its options, as a command line lists them.
    fn listed(&self) -> Listed;

    /// Its options as a run records them, of what a command line gives.
    ///
    /// # Errors
    /// If an option can't be had.
    fn options(&self, given: &ArgMatches, teacher: &Teacher) -> Result<Value, TrainError>;

    /// The options of `trainer train` that stand for the paper's recipe; `None` if it can't be followed here.
    fn published(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Whether it is fitted in one pass over the images and has no plan.
    fn is_fitted(&self) -> bool {
        false
    }

    /// How to train on this many samples, unless the user says.
    ///
    /// # Errors
    /// If the options are not what [`Self::options`] gives.
    fn plan(&self, _options: &Value, _teacher: &Teacher, _samples: usize) -> Result<Plan, TrainError> {
        Ok(Plan { steps: 1, batch: 1, minutes: None })
    }

    /// Where to compute, from what the user wants and this machine has; sets the number of threads.
    ///
    /// # Errors
    /// If that can't be had.
    fn resolve(&self, wanted: Wanted) -> Result<Resolved, ComputeError>;

    /// Whether the method can learn from this teacher with these settings.
    ///
    /// # Errors
    /// [`TrainError::Unfit`] if it can't.
    fn check(&self, settings: &Settings, teacher: &Teacher) -> Result<(), TrainError>;

    /// Trains, or goes on from the run's checkpoint; or fits.
    ///
    /// # Errors
    /// If an image vanished, the disk refuses, or training diverges.
    fn train(&self, run: &Run, compute: &Resolved) -> Result<Ended, TrainError>;

    /// The trained model as ONNX: input `image` 1×3×H×W (RGB 0..1), outputs `anomaly_map` 1×1×H×W and `score` 1.
    ///
    /// # Errors
    /// If the run has no student yet or a file of it is damaged.
    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError>;

    /// The normals' scores, if training has found them; otherwise the run's calibration images are to be judged.
    ///
    /// # Errors
    /// As [`Self::onnx`].
    fn calibrator(&self, _run: &Run) -> Result<Option<Calibrator>, TrainError> {
        Ok(None)
    }
}

/// Why a method that needs a backbone can't learn from this teacher, which is none.
pub(crate) fn no_backbone(method: &str, teacher: &Teacher) -> TrainError {
    TrainError::Unfit(format!(
        "{method} needs a backbone with several levels and the teacher {} is a {}; give a ResNet or an EfficientNet-Lite \
         as --teacher, or use --method efficientad",
        teacher.name, teacher.network.name
    ))
}

/// The length of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Steps; if there are `minutes`, at most.
    pub steps: u64,
    /// Samples in a step.
    pub batch: usize,
    /// If given, training ends before its last step once the student doesn't get better any more, and after about this time.
    pub minutes: Option<f64>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// All steps are done.
    Finished {
        /// The step whose student the selection images chose, where they do.
        chosen_step: Option<u64>,
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
#[non_exhaustive]
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
        "training diverged at step {step} (the loss is {loss}); the last good checkpoint is kept: go on from it with \
         --resume --precision f32, or start again with another --seed"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// The device is gone.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// Nothing could be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Nothing could be fitted, or an image can't be scored.
    #[error(transparent)]
    CrossFit(#[from] CrossFitError),
    /// The options can't be written.
    #[error("the method's options can't be recorded: {0}")]
    Options(serde_json::Error),
    /// The method can't work with this teacher or these settings.
    #[error("{0}")]
    Unfit(String),
    /// The natural photos.
    #[cfg(feature = "libtorch")]
    #[error(transparent)]
    Natural(#[from] NaturalError),
    /// The student doesn't fit its teacher's architecture.
    #[error("the student can't be exported: {0}")]
    Fold(#[from] FoldError),
}
