//! PatchCore (Roth et al.: *Towards Total Recall in Industrial Anomaly Detection*, CVPR 2022): a bank of a backbone's
//! features at positions of good parts; the farther a position is from the nearest entry, the more anomalous it is. Fitted
//! in seconds.
//!
#![doc = include_str!("README.md")]

mod bank_size;
mod coreset;
mod fit;
mod graph;
mod model;
mod options;
mod search_time;
mod state;

pub use bank_size::{BankSize, BankSizeError};
pub use coreset::{Coreset, CoresetSettings};
pub use graph::{build, build_distances, search};
pub use model::{Model, Score};
pub use options::PatchCore;

use networks::teacher::Teacher;

use self::fit::fit;
use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, ProgressCallback};
use crate::smoothing::check_use;

impl Method for PatchCore {
    const NAME: &'static str = "patchcore";
    const ABOUT: &'static str =
        "a bank of what good parts look like to the teacher; fitted in seconds, without training";
    const LEVELS: Levels = Levels::Coarse;
    // The paper resizes to 256 and crops to 224; here nothing is cropped. It smooths by 4 pixels, and keeps a tenth of all
    // positions.
    const PUBLISHED: Option<&'static [&'static str]> = Some(&[
        "--align",
        "off",
        "--size",
        "224",
        "--dimensions",
        "1024",
        "--bank",
        "10%",
        "--score",
        "reweighted",
        "--smoothing",
        "0.5",
    ]);
    type Model = Model;

    /// A patch description network's single level is enough: teachers for EfficientAD are evaluated this way.
    fn supports(_teacher: &Teacher) -> bool {
        true
    }

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Model>, FitError> {
        check_use(self.smoothing, self.score.is_some(), "--score")?;
        Ok(fit(self, set, indices, seed, progress)?)
    }
}
