//! The traits of a method: options that fit a model, and a model that can be exported.

use std::fmt;

use networks::teacher::Teacher;
use networks::{ModelState, StateError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_format::{Recipe, Size, Tiles};

use crate::features::{FeatureError, FeatureSet, Levels};
use crate::image_score::ImageScorer;

/// Name of the output of [`Model::distances`].
pub const DISTANCES: &str = "distances";

/// Called after each image; says whether to go on.
pub type ProgressCallback<'a> = &'a mut dyn FnMut() -> bool;

/// What a model sees of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The size of its input.
    pub input: Size,
    /// The tiles that it judges together; [`Tiles::ONE`] if it judges one at a time.
    pub tiles: Tiles,
}

impl View {
    /// Returns the view of a model for frames of this recipe, which judges a frame's tiles together or one at a time.
    #[must_use]
    pub const fn of(recipe: &Recipe, judges_frames: bool) -> Self {
        let tiles = if judges_frames { recipe.tiles } else { Tiles::ONE };
        Self { input: recipe.input, tiles }
    }

    /// Returns the size of the anomaly map.
    #[must_use]
    pub const fn map(self) -> Size {
        self.tiles.picture(self.input)
    }

    /// Returns the shape of the input: tiles × channels × height × width.
    #[must_use]
    pub const fn shape(self) -> [usize; 4] {
        [self.tiles.count(), 3, self.input.height as usize, self.input.width as usize]
    }
}

/// A method that is fitted to images of good parts in one pass. The implementing type holds its options, as a command line
/// gives them and as a run records them.
pub trait Method:
    clap::Args + Serialize + DeserializeOwned + Clone + Default + fmt::Debug + Send + Sync + 'static
{
    /// The name on the command line and in bundles.
    const NAME: &'static str;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// The backbone levels that make up its features.
    const LEVELS: Levels;
    /// The command-line options, including `--size`, that reproduce the paper's recipe; `None` if it can't be reproduced.
    const PUBLISHED: Option<&'static [&'static str]> = None;
    /// Whether its models judge all tiles of a frame together, because what is normal depends on the position.
    const JUDGES_FRAMES: bool = false;
    /// The model that it learns.
    type Model: Model + 'static;

    /// Returns whether it can learn from this teacher. Most methods need a backbone with several levels.
    #[must_use]
    fn supports(teacher: &Teacher) -> bool {
        teacher.is_backbone()
    }

    /// Fits a model to the images at `indices` of `set`; the seed reproduces every choice. `None` if `progress` returns
    /// `false`, because someone asked to stop.
    ///
    /// # Errors
    /// See [`FitError`].
    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Self::Model>, FitError>;
}

/// A fitted model.
pub trait Model: fmt::Debug {
    /// Describes the model for people.
    fn summary(&self) -> String;

    /// Returns the model as named arrays and notes.
    fn state(&self) -> ModelState;

    /// Restores a model from [`Self::state`], for this teacher and view.
    ///
    /// # Errors
    /// Names what is missing or out of range.
    fn restore(state: &ModelState, teacher: &Teacher, view: View) -> Result<Self, StateError>
    where
        Self: Sized;

    /// Returns the model as ONNX: input `image` of [`View::shape`] (RGB 0..1), outputs `anomaly_map` 1×1×H×W of [`View::map`] and
    /// `score` 1. The score is `image_score` of the distances if given, otherwise the method's own.
    fn onnx(&self, teacher: &Teacher, view: View, image_score: Option<&ImageScorer>) -> Vec<u8>;

    /// Returns the distances that an [`ImageScorer`] is computed from, as ONNX: the same input, output [`DISTANCES`] 1×1×h×w.
    /// `None` if the method has its own way to score images.
    fn distances(&self, _teacher: &Teacher, _view: View) -> Option<Vec<u8>> {
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
    /// The options can't be satisfied.
    #[error(transparent)]
    Options(Box<dyn std::error::Error + Send + Sync>),
}
