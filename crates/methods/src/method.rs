//! What a method is: options that fit a model, and a model that is exported.

use std::fmt;

use networks::teacher::Teacher;
use networks::{State, StateError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_format::Size;

use crate::features::{FeatureError, FeatureSet, Levels};
use crate::image_score::ImageScore;

/// Name of the output of [`Model::distances`].
pub const DISTANCES: &str = "distances";

/// Called after each image; says whether to go on.
pub type Progress<'a> = &'a mut dyn FnMut() -> bool;

/// A method that is fitted to images of good parts in one pass. The type that implements it holds its options: as a
/// command line gives them, and as a run records them.
pub trait Method:
    clap::Args + Serialize + DeserializeOwned + Clone + Default + fmt::Debug + Send + Sync + 'static
{
    /// The name on the command line and in bundles.
    const NAME: &'static str;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// The backbone levels that its features are made of.
    const LEVELS: Levels;
    /// The command-line options, its own and the input's `--size`, that stand for the paper's recipe; `None` if there is none
    /// that can be followed.
    const PUBLISHED: Option<&'static [&'static str]> = None;
    /// What it learns.
    type Model: Model + 'static;

    /// Whether it can learn from this teacher. Most need a backbone with several levels.
    #[must_use]
    fn takes(teacher: &Teacher) -> bool {
        teacher.is_backbone()
    }

    /// Fits a model to the images at `indices` of `set`; the seed reproduces every choice. `None` if `progress` says
    /// `false`: someone asked to stop.
    ///
    /// # Errors
    /// See [`FitError`].
    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: Progress<'_>,
    ) -> Result<Option<Self::Model>, FitError>;
}

/// A fitted model.
pub trait Model: fmt::Debug {
    /// What there is, in words.
    fn summary(&self) -> String;

    /// The model as named arrays and notes.
    fn state(&self) -> State;

    /// What [`Self::state`] gave, for this teacher and input size.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    fn restore(state: &State, teacher: &Teacher, input: Size) -> Result<Self, StateError>
    where
        Self: Sized;

    /// The model as ONNX: input `image` 1×3×H×W (RGB 0..1), outputs `anomaly_map` 1×1×H×W and `score` 1, which is `image_score`
    /// of the distances if there is one, and otherwise the method's own.
    fn onnx(&self, teacher: &Teacher, input: Size, image_score: Option<&ImageScore>) -> Vec<u8>;

    /// What an [`ImageScore`] is made of, as ONNX: the same input, output [`DISTANCES`] 1×1×h×w. `None` if the method scores
    /// images its own way.
    fn distances(&self, _teacher: &Teacher, _input: Size) -> Option<Vec<u8>> {
        None
    }
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// An image has no features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The options ask for what can't be had.
    #[error(transparent)]
    Options(Box<dyn std::error::Error + Send + Sync>),
}
