//! One-class support vector machines on a backbone's features (Schölkopf et al.: *Estimating the Support of a
//! High-Dimensional Distribution*, 2001): a boundary around what good parts look like, at each position or as a whole.
//!
#![doc = include_str!("README.md")]

mod graph;
mod machine;
mod options;
mod positions;
mod smo;
mod whole;

pub use machine::{Machine, Settings};
pub use options::{MachineOptions, OneClassSvm, OneClassSvmImage};
pub use positions::Model;
pub use smo::{KernelMatrix, Solution, solve};
pub use whole::ImageModel;

use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, ProgressCallback};

impl Method for OneClassSvm {
    const NAME: &'static str = "one-class-svm";
    const ABOUT: &'static str = "a boundary around what good parts look like to the teacher at any position, by support vectors; fitted in seconds";
    const LEVELS: Levels = Levels::Coarse;
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Model>, FitError> {
        positions::fit(self, set, indices, seed, progress)
    }
}

impl Method for OneClassSvmImage {
    const NAME: &'static str = "one-class-svm-image";
    const ABOUT: &'static str = "a boundary around what good parts look like to the teacher as a whole, by support vectors; doesn't localise defects";
    const LEVELS: Levels = Levels::All;
    type Model = ImageModel;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<ImageModel>, FitError> {
        whole::fit(self, set, indices, seed, progress)
    }
}
