//! Arrays with notes: the saved state of a run or a method.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use crate::array::{Array, Weights};

/// Named arrays with notes: a checkpoint, or a learned model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelState {
    /// Arrays by name.
    pub weights: Weights,
    /// Numbers and names, by name.
    pub notes: HashMap<String, String>,
}

impl ModelState {
    /// Returns a note as a number.
    #[must_use]
    pub fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.notes.get(name)?.parse().ok()
    }
}

/// Why a state can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// An array or a note is missing.
    #[error("it has no `{0}`")]
    Missing(Cow<'static, str>),
    /// An array's shape differs from its network's.
    #[error("its `{name}` has shape {found:?}, not {expected:?}")]
    Shape {
        /// The array.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The network's.
        expected: Vec<usize>,
    },
    /// Arrays don't match each other, or the teacher and the input size.
    #[error("its {0} has an invalid shape")]
    Sides(&'static str),
    /// Values that no training or fit can produce.
    #[error("its `{0}` holds invalid values")]
    Values(Cow<'static, str>),
}

impl StateError {
    /// Makes a [`Self::Missing`].
    pub fn missing(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Missing(name.into())
    }

    /// Makes a [`Self::Values`].
    pub fn values(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Values(name.into())
    }
}

/// Returns the array with this name if it has the shape.
///
/// # Errors
/// [`StateError::Missing`] or [`StateError::Shape`].
pub fn array_of<'a>(weights: &'a Weights, name: &str, shape: &[usize]) -> Result<&'a Array, StateError> {
    let array = weights.get(name).ok_or_else(|| StateError::missing(name.to_owned()))?;
    if array.shape == shape {
        return Ok(array);
    }
    let (found, expected) = (array.shape.clone(), shape.to_vec());
    Err(StateError::Shape { name: name.to_owned(), found, expected })
}
