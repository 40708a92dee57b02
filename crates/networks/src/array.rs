//! Dense arrays, and weights as named arrays.

use std::collections::BTreeMap;

/// A dense array of 32-bit floats, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// `shape.product()` values.
    pub data: Vec<f32>,
}

/// Named arrays, as in a weight file.
pub type Weights = BTreeMap<String, Array>;
