//! The loops over samples of a JPEG decoder, with the results of libjpeg-turbo's, to the bit.
//!
//! They are written as plain loops that the compiler turns into vectors; see `vector` for which.

mod colour;
mod idct;
mod lanes;
mod upsample;
mod vector;

pub use colour::{interleaved, rgb_of_ycbcr};
pub use idct::{flat, inverse};
pub use upsample::{triangle_across, triangle_both, triangle_down};
