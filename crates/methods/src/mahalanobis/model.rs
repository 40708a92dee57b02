//! The learned model.

/// A Gaussian of mean features.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// Channels × channels: for a row vector v, |v · whitening|² = v Σ⁻¹ vᵀ.
    pub whitening: Vec<f32>,
}
