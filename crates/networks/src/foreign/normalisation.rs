//! What is done to the image before the model sees it.

/// Per channel: what is subtracted from the image, and what divides it then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Subtracted.
    pub mean: [f32; 3],
    /// Divides.
    pub std: [f32; 3],
}

impl Normalisation {
    /// What most networks that were trained on ImageNet want.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
}
