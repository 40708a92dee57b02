//! The trainer's methods: each learns from normal images and exports one ONNX model.

use std::path::PathBuf;

use bundle::{Calibrator, ExportDefects};
use clap::ArgMatches;
use judge::{DecodeError, PrepareError};
use methods::cross_fit::CrossFitError;
use methods::method::FitError;
use methods::options::MethodOptions;
use methods::taught_defects::DefectsError;
use networks::FoldError;
use networks::teacher::Teacher;
use serde_json::Value;
use shared_format::ImageScore;

use crate::compute::{ComputeError, ComputeRequest, Resolved};
#[cfg(feature = "libtorch")]
use crate::natural::NaturalError;
use crate::run::{Run, RunError, RunSettings};

/// A way to learn what good parts look like.
pub trait Method {
    /// Returns the name used on the command line and in bundles.
    fn name(&self) -> &'static str;

    /// Returns one sentence for `trainer train --help`.
    fn about(&self) -> &'static str;

    /// Returns its options, as a command line lists them.
    fn method_options(&self) -> MethodOptions;

    /// Converts the options given on the command line to those that a run records.
    ///
    /// # Errors
    /// If an option can't be used.
    fn options(&self, given: &ArgMatches, teacher: &Teacher) -> Result<Value, TrainError>;

    /// Returns the options of `trainer train` that stand for the paper's recipe; `None` if it can't be followed here.
    fn published(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Returns whether the method is fitted in one pass over the images, without a plan.
    fn is_fitted(&self) -> bool {
        false
    }

    /// Returns whether the method is trained on known defects beside the good parts, and can't do without them.
    fn needs_defects(&self) -> bool {
        false
    }

    /// Returns how to train on this many samples by default.
    ///
    /// # Errors
    /// If the options are not those that [`Self::options`] returns.
    fn plan(&self, _options: &Value, _teacher: &Teacher, _samples: usize) -> Result<Plan, TrainError> {
        Ok(Plan { steps: 1, batch: 1, minutes: None })
    }

    /// Chooses the device and number format from the user's request and this machine's hardware; sets the number of threads.
    ///
    /// # Errors
    /// If the request can't be met.
    fn resolve(&self, wanted: ComputeRequest) -> Result<Resolved, ComputeError>;

    /// Checks that the method can learn from this teacher with these settings.
    ///
    /// # Errors
    /// [`TrainError::Unfit`] if it can't.
    fn check(&self, settings: &RunSettings, teacher: &Teacher) -> Result<(), TrainError>;

    /// Trains, resuming from the run's checkpoint if it has one, or fits.
    ///
    /// # Errors
    /// If an image is missing, the disk can't be written, or training diverges.
    fn train(&self, run: &Run, compute: &Resolved) -> Result<TrainOutcome, TrainError>;

    /// Returns the trained model as ONNX: input `image` 1×3×H×W (RGB 0..1), outputs `anomaly_map` 1×1×H×W and `score` 1.
    ///
    /// # Errors
    /// If the run has no student yet or one of its files is damaged.
    fn onnx(&self, run: &Run) -> Result<Vec<u8>, TrainError>;

    /// Returns the normals' scores, and how they were scored, if training has computed them; otherwise the caller judges the run's
    /// calibration images.
    ///
    /// # Errors
    /// As [`Self::onnx`].
    fn calibrator(&self, _run: &Run) -> Result<Option<(Calibrator, ImageScore)>, TrainError> {
        Ok(None)
    }

    /// Returns the defects that the run was taught, with their scores; `None` if there are none.
    ///
    /// # Errors
    /// As [`Self::onnx`].
    fn defects(&self, _run: &Run) -> Result<Option<ExportDefects>, TrainError> {
        Ok(None)
    }
}

/// Returns the error of a method that needs a backbone and was given another kind of teacher.
pub(crate) fn no_backbone(method: &str, teacher: &Teacher) -> TrainError {
    TrainError::Unfit(format!(
        "{method} needs a backbone with several levels, but the teacher {} is a {}; give a ResNet or an EfficientNet-Lite \
         as --teacher, or use --method efficientad",
        teacher.name, teacher.network.name
    ))
}

/// The length of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Number of steps; the maximum if `minutes` is set.
    pub steps: u64,
    /// Samples in a step.
    pub batch: usize,
    /// If given, training ends after about this time, and early once the student stops improving if its learning rate follows that.
    pub minutes: Option<f64>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainOutcome {
    /// All steps are done.
    Finished {
        /// The step whose student the selection images chose, if they choose one.
        chosen_step: Option<u64>,
    },
    /// The method was fitted.
    Fitted {
        /// Describes the fitted model.
        summary: String,
    },
    /// A stop was requested; a checkpoint was written, except for a fitted method.
    Interrupted {
        /// Number of steps done.
        step: u64,
    },
}

/// Why a training or an export failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The run's folder can't be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An image can no longer be decoded.
    #[error("{path}: {source}; put the image back, or start a new run", path = path.display())]
    Decode {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// An image no longer fits the recipe.
    #[error("{path}: {source}; put the image back, or start a new run", path = path.display())]
    Prepare {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: PrepareError,
    },
    /// The loss is not a number.
    #[error(
        "training diverged at step {step} (the loss is {loss}); the last good checkpoint is kept: resume from it with \
         --resume --precision f32, or start again with another --seed"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// The network gives the same result for everything.
    #[error(
        "training collapsed at step {step}: the network gives nearly the same result for everything, noise included, so it can tell \
         nothing apart; the last good checkpoint is kept: train fewer steps with --steps, or start again with another --seed"
    )]
    Collapsed {
        /// The step.
        step: u64,
    },
    /// The device can't be used.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// Nothing could be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Nothing could be fitted, or an image can't be scored.
    #[error(transparent)]
    CrossFit(#[from] CrossFitError),
    /// Defects can't be taught.
    #[error(transparent)]
    Defects(#[from] DefectsError),
    /// The options can't be written.
    #[error("the method's options can't be recorded: {0}")]
    Options(serde_json::Error),
    /// The method can't work with this teacher or these settings.
    #[error("{0}")]
    Unfit(String),
    /// The natural photos can't be used.
    #[cfg(feature = "libtorch")]
    #[error(transparent)]
    Natural(#[from] NaturalError),
    /// The student doesn't fit its teacher's architecture.
    #[error("the student can't be exported: {0}")]
    Fold(#[from] FoldError),
}
