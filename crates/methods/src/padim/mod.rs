//! PaDiM (Defard et al.: *PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization*, 2021):
//! at each position a Gaussian of what a backbone sees there on good parts; a position is as anomalous as it is improbable.
//! For parts that always lie the same way. Fitted in seconds.
//!
#![doc = include_str!("README.md")]

mod fit;
mod graph;
mod kept;
mod model;
mod options;
mod reduction;

pub use graph::{build, build_distances};
pub use model::Model;
pub use options::{Covariance, Padim};
pub use reduction::{Reduction, reduce};

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, Progress};
use crate::smoothing::check_use;

impl Method for Padim {
    const NAME: &'static str = "padim";
    const ABOUT: &'static str = "what good parts look like to the teacher, place by place; for parts that lie alike; fitted in seconds";
    const LEVELS: Levels = Levels::All;
    // The paper resizes to 256 and cuts out 224; here nothing is cut off. It smooths by 4 pixels.
    const PUBLISHED: Option<&'static [&'static str]> = Some(&[
        "--align",
        "off",
        "--size",
        "224",
        "--dimensions",
        "100",
        "--reduction",
        "random",
        "--cell",
        "1",
        "--worst",
        "0",
        "--smoothing",
        "0.5",
    ]);
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: Progress<'_>,
    ) -> Result<Option<Model>, FitError> {
        check_use(self.smoothing, self.worst.is_some(), "--worst")?;
        Ok(fit(self, set, indices, seed, progress)?)
    }
}
