//! What the method has learned.

/// A Gaussian of mean features.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Channels values.
    pub mean: Vec<f32>,
    /// Channels × channels: for a row vector v, |v · whitening|² = v Σ⁻¹ vᵀ.
    pub whitening: Vec<f32>,
}
