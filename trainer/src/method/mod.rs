//! Methods: each learns from normal images in its own way and exports one ONNX model. One folder each; adding one
//! touches nothing else but [`all`].

#[cfg(feature = "libtorch")]
pub mod efficientad;
pub mod padim;
pub mod patchcore;
#[cfg(feature = "libtorch")]
pub mod stpm;

mod fitting;

pub use fitting::Fitting;

use std::path::PathBuf;

use judge::{DecodeError, PrepareError};
use methods::features::FeatureError;
use networks::teacher::Teacher;
use networks::{FoldError, PdnSize};

use crate::compute::{Resolved, Wanted};
use crate::natural::NaturalError;
use crate::run::{Run, RunError, Settings};
use crate::schedule::Schedule;

/// A way to learn what good parts look like.
pub trait Method {
    /// The name on the command line and in bundles.
    fn name(&self) -> &'static str;

    /// One sentence for `trainer train --help`.
    fn about(&self) -> &'static str;

    /// Whether it is fitted in one pass over the images and has no plan.
    fn is_fitted(&self) -> bool {
        false
    }

    /// How to train on `samples` samples, unless the user says.
    fn plan(&self, _samples: usize, _teacher: &Teacher, schedule: Option<Schedule>) -> Plan {
        Plan { steps: 1, batch: 1, schedule: schedule.unwrap_or_default() }
    }

    /// Where to compute, from what the user wants and this machine has; sets the number of threads.
    ///
    /// # Errors
    /// A sentence, where that can't be had.
    fn resolve(&self, wanted: Wanted) -> Result<Resolved, String>;

    /// The teacher to learn from, unless the user names one; `size` is what the user says of its size.
    fn default_teacher(&self, size: Option<PdnSize>) -> &'static str {
        size.map_or("efficientnet-lite0", PdnSize::network_name)
    }

    /// Whether the method can learn from this teacher with these settings. Most need a backbone.
    ///
    /// # Errors
    /// [`TrainError::Unfit`], where it can't.
    fn check(&self, _settings: &Settings, teacher: &Teacher) -> Result<(), TrainError> {
        if PdnSize::of(teacher.network.name).is_none() {
            return Ok(());
        }
        Err(TrainError::Unfit(format!(
            "{} needs a backbone with several levels and the teacher {} is a {}; give a ResNet or an \
             EfficientNet-Lite as --teacher, or use --method efficientad",
            self.name(),
            teacher.name,
            teacher.network.name
        )))
    }

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
    /// How fast to learn, where the method has a choice.
    pub schedule: Schedule,
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
    #[error("{0}")]
    Device(String),
    /// The method can't do what was asked for.
    #[error("{0}")]
    Settings(String),
    /// Features of an image can't be had.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The method can't work with this teacher or these settings.
    #[error("{0}")]
    Unfit(String),
    /// The natural photos.
    #[error(transparent)]
    Natural(#[from] NaturalError),
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
        #[cfg(feature = "libtorch")]
        Box::new(efficientad::EfficientAd),
        Box::new(patchcore::PatchCore),
        Box::new(padim::Padim),
    ]
}

/// The method with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Method>> {
    all().into_iter().find(|method| method.name() == name)
}
