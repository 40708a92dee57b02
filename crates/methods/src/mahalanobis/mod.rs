//! Mahalanobis distance of an image's mean feature from those of good parts (Rippel, Mertens, Merhof: *Modeling the
//! Distribution of Normal Data in Pre-Trained Deep Features for Anomaly Detection*, ICPR 2020).
//!
#![doc = include_str!("README.md")]

mod fit;
mod graph;
mod model;
mod state;

pub use model::Model;

use serde::{Deserialize, Serialize};

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, ProgressCallback};

/// The method; it has no options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub struct Mahalanobis {}

impl Method for Mahalanobis {
    const NAME: &'static str = "mahalanobis";
    const ABOUT: &'static str =
        "what good parts look like to the teacher as a whole; doesn't localise defects; a baseline";
    const LEVELS: Levels = Levels::All;
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        _seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Model>, FitError> {
        fit(set, indices, progress)
    }
}
