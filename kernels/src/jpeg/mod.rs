//! A JPEG decoder's loops over samples, bit-identical to libjpeg-turbo's.
//!
//! They are written as plain loops that the compiler vectorises; see `vector` for the instruction sets.

mod colour;
mod idct;
mod lanes;
mod upsample;
mod vector;

pub use colour::{interleaved, rgb_of_ycbcr};
pub use idct::{flat, inverse};
pub use upsample::{triangle_across, triangle_both, triangle_down};
