//! Why a frame got no trustworthy score.

use crate::decode::DecodeError;
use crate::engine::EngineError;
use crate::prepare::PrepareError;

/// Why a frame got no trustworthy score. On the line, a fault drives the outputs to the safe state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are not an image.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The image doesn't suit the recipe.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The frame is unlike good parts nearly everywhere.
    #[error(
        "another product? the frame is unlike good parts nearly everywhere: three quarters of its anomaly map are above {quartile:.4},          and this product's limit is {limit:.4}; check that this product is on the line, and camera, lens and light"
    )]
    OtherProduct {
        /// The lower quartile of its anomaly map.
        quartile: f32,
        /// The largest that this product may have.
        limit: f32,
    },
    /// The network failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The network returned a value that is not a finite number.
    #[error(
        "the model returned {value} as {what}; judge the frame again, and export the bundle again if this repeats"
    )]
    NotFinite {
        /// The output.
        what: &'static str,
        /// Its value: NaN or an infinity.
        value: f32,
    },
}
