//! Local Gaussians: a Gaussian at each position of a backbone's features on good parts; a position is judged by the best
//! of its neighbours' Gaussians. Fitted in seconds. The default method.
//!
#![doc = include_str!("README.md")]

mod fit;
mod graph;
mod model;
mod options;
mod state;
mod windows;

pub use model::Model;
pub use options::LocalGaussians;

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, ProgressCallback};

impl Method for LocalGaussians {
    const NAME: &'static str = "local-gaussians";
    const ABOUT: &'static str = "what good parts look like to the teacher at and around each position; for parts of any kind; fitted in seconds, without training";
    const LEVELS: Levels = Levels::Coarse;
    const JUDGES_FRAMES: bool = true;
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Model>, FitError> {
        Ok(fit(self, set, indices, seed, progress)?)
    }
}
