//! A JPEG decoder's loops over samples, bit-identical to libjpeg-turbo's.
//!
//! They are written as plain loops that the compiler vectorises.

mod colour;
mod idct;
mod lanes;
mod upsample;

pub use colour::{interleave_rgb, ycbcr_to_rgb};
pub use idct::{inverse_dct, inverse_dct_dc_only};
pub use upsample::{upsample_h1v2, upsample_h2v1, upsample_h2v2};
