//! Dense arrays, and weights as named arrays.

use std::collections::{BTreeMap, HashMap};

/// A dense array of 32-bit floats, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// `shape.product()` values.
    pub data: Vec<f32>,
}

/// Named arrays, as a weight file holds them.
pub type Weights = BTreeMap<String, Array>;

/// Named arrays with notes: a checkpoint, or what a method has learned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Arrays by name.
    pub weights: Weights,
    /// Numbers and names, by name.
    pub notes: HashMap<String, String>,
}

impl State {
    /// A note as a number.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.notes.get(name)?.parse().ok()
    }
}
