//! PaDiM (Defard et al.: *PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization*, 2021): a
//! Gaussian at each position of a backbone's features on good parts; the less probable a position, the more anomalous it
//! is. For parts that always lie the same way. Fitted in seconds.
//!
#![doc = include_str!("README.md")]

mod fit;
mod graph;
mod model;
mod options;
mod reduction;
mod state;

pub use graph::{build, build_distances};
pub use model::Model;
pub use options::{Covariance, Padim};
pub use reduction::{Reduction, reduce};

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, ProgressCallback};
use crate::smoothing::check_use;

impl Method for Padim {
    const NAME: &'static str = "padim";
    const ABOUT: &'static str = "what good parts look like to the teacher at each position; for parts that always lie the same way; fitted in seconds";
    const LEVELS: Levels = Levels::All;
    // The paper resizes to 256 and crops to 224; here nothing is cropped. It smooths by 4 pixels.
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
    const JUDGES_FRAMES: bool = true;
    type Model = Model;

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Model>, FitError> {
        check_use(self.smoothing, self.worst.is_some(), "--worst")?;
        Ok(fit(self, set, indices, seed, progress)?)
    }
}
