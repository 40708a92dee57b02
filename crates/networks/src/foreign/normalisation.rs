//! The normalisation of the image before the model sees it.

/// The mean and the standard deviation by which each channel is normalised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Subtracted from the image.
    pub mean: [f32; 3],
    /// Divides the result.
    pub std: [f32; 3],
}

impl Normalisation {
    /// The normalisation that most networks trained on ImageNet expect.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
}
