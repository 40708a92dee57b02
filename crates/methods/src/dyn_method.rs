//! A method with its options, as a trait object.

use std::fmt;

use serde_json::Value;

use crate::features::{FeatureSet, Levels};
use crate::method::{FitError, Method, Model, ProgressCallback};

/// The object-safe interface of methods; every [`Method`] implements it.
pub trait DynMethod: fmt::Debug + Send + Sync {
    /// See [`Method::NAME`].
    fn name(&self) -> &'static str;

    /// See [`Method::LEVELS`].
    fn levels(&self) -> Levels;

    /// See [`Method::JUDGES_FRAMES`].
    fn judges_frames(&self) -> bool;

    /// Returns the options as a run records them.
    ///
    /// # Errors
    /// If they can't be written as JSON.
    fn record(&self) -> serde_json::Result<Value>;

    /// See [`Method::fit`].
    ///
    /// # Errors
    /// See [`FitError`].
    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Box<dyn Model>>, FitError>;
}

impl<M: Method> DynMethod for M {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn levels(&self) -> Levels {
        M::LEVELS
    }

    fn judges_frames(&self) -> bool {
        M::JUDGES_FRAMES
    }

    fn record(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    fn fit(
        &self,
        set: &mut FeatureSet,
        indices: &[usize],
        seed: u64,
        progress: ProgressCallback<'_>,
    ) -> Result<Option<Box<dyn Model>>, FitError> {
        let model = M::fit(self, set, indices, seed, progress)?;
        Ok(model.map(|model| Box::new(model) as Box<dyn Model>))
    }
}
