//! At each place a Gaussian of what a backbone sees there on good parts; a place is judged by the best of its neighbours'.
//! Fitted in seconds. The default.
//!
#![doc = include_str!("README.md")]

mod fit;
mod graph;
mod kept;
mod model;
mod options;
mod windows;

pub use model::Model;
pub use options::LocalGaussians;

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, Progress};

impl Method for LocalGaussians {
    const NAME: &'static str = "local-gaussians";
    const ABOUT: &'static str = "what good parts look like to the teacher at each place and beside it; for parts of any kind; fitted in seconds, without training";
    const LEVELS: Levels = Levels::Coarse;
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: Progress<'_>,
    ) -> Result<Option<Model>, FitError> {
        Ok(fit(self, set, indices, seed, progress)?)
    }
}
