//! Convolution kernels for judging frames, in 32-bit floats ([`Bottleneck`] in 16-bit ones, too): the same sums as ONNX's
//! operators, computed with fewer multiplications and without copies between layouts.
//!
//! | module | what it holds |
//! |---|---|
//! | [`spec`] | what a convolution is: shapes, padding, and what happens to its sums before they are written |
//! | [`conv`] | [`Conv`]: weights packed once, then run on image after image |
//! | `winograd` | 3×3 and 4×4 kernels; with the maxima behind them, where there are |
//! | `pointwise` | 1×1 kernels of stride 1 |
//! | `direct` | every other dense kernel |
//! | `depthwise` | one filter a channel |
//! | [`bottleneck`] | [`Bottleneck`]: 1×1 (or a network's first convolution), depthwise and 1×1 in one pass |
//! | [`depth`] | a first convolution of stride 2 as one of stride 1 |
//! | [`normalise`], [`pool`], [`resample`] | an image's normalisation; maximum of a window; resizing |
//! | [`head`], [`least`], [`largest`] | distance of two images' features; minimum over channels; mean of the largest values |
//! | [`batch`] | many small matrices times constant ones |
//! | [`jpeg`] | a JPEG decoder's transform, upsampling and colours |
//! | `simd` | the processor's vectors; [`Path`] says which, [`HalfPath`] for 16-bit floats |
//! | `share` | one kernel's blocks on several threads |
//!
//! Images lie channels last: height × width × channels, a pixel's channels side by side. A path (AVX-512, AVX2, NEON, or
//! what every processor has) is chosen when the program runs. Results don't depend on the number of threads, to the bit.
//!
//! ```
//! use kernels::{Conv, ConvSpec, Epilogue, Path, Shape};
//!
//! // The sum of each pixel's 3 × 3 neighbourhood, zero beyond the border.
//! let input = Shape { height: 4, width: 4, channels: 1 };
//! let spec = ConvSpec { padding: [[1, 1], [1, 1]], ..ConvSpec::new(input, 1, [3, 3]) };
//! let conv = Conv::new(spec, &[1.0; 9], &[0.0], Epilogue::default(), Path::best())?;
//! let mut output = vec![0.0; conv.output().len()];
//! conv.run(&[1.0; 16], None, &mut output)?;
//! assert_eq!(output[..4], [4.0, 6.0, 6.0, 4.0]);
//! # Ok::<(), kernels::Error>(())
//! ```

#![allow(clippy::needless_range_loop, reason = "loops over vectors count, see `simd::Task`")]
#![allow(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for the path, see `simd::Task`"
)]

pub mod batch;
pub mod bottleneck;
pub mod conv;
pub mod depth;
pub mod head;
pub mod jpeg;
pub mod largest;
pub mod least;
pub mod normalise;
pub mod pool;
pub mod resample;
pub mod spec;

mod buffer;
mod depthwise;
mod direct;
mod pointwise;
mod share;
mod simd;
mod tile;
mod winograd;

pub use bottleneck::Bottleneck;
pub use conv::{Algorithm, Conv};
pub use share::beside;
pub use simd::{HalfPath, Path};
pub use spec::{ConvSpec, Epilogue, Error, Layout, Shape};
