//! A Gaussian mixture of an image's mean feature: good parts that come in several kinds (Bishop: *Pattern Recognition and Machine
//! Learning*, 2006, chapter 9).
//!
#![doc = include_str!("README.md")]

mod em;
mod fit;
mod graph;
mod model;
mod options;
mod responsibilities;
mod selection;
mod state;

pub use model::Model;
pub use options::{Components, ComponentsError, GaussianMixture};

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, ProgressCallback};

impl Method for GaussianMixture {
    const NAME: &'static str = "gaussian-mixture";
    const ABOUT: &'static str = "what good parts of one or several kinds look like to the teacher as a whole; doesn't localise defects";
    const LEVELS: Levels = Levels::All;
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Model>, FitError> {
        fit(self, set, indices, seed, progress)
    }
}
