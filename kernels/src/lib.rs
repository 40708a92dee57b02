//! Convolution kernels for judging frames, in 32-bit floats ([`Bottleneck`] also supports 16-bit floats). They compute the same
//! sums as ONNX's operators, with fewer multiplications and without copies between layouts.
//!
//! | module | contents |
//! |---|---|
//! | [`spec`] | a convolution's description: shapes, padding, and the epilogue applied to its sums |
//! | [`conv`] | [`Conv`]: weights packed once, then run on any number of images |
//! | `winograd` | 3×3 and 4×4 kernels, optionally fused with a following max pooling |
//! | `pointwise` | 1×1 kernels of stride 1 |
//! | `direct` | all other dense kernels |
//! | `depthwise` | one filter per channel |
//! | [`bottleneck`] | [`Bottleneck`]: 1×1 (or a network's first convolution), depthwise and 1×1 in one pass |
//! | [`space_to_depth`] | space to depth, which turns a first convolution of stride 2 into one of stride 1 |
//! | [`normalise`], [`max_pool`], [`resample`] | image normalisation; max pooling; resizing |
//! | [`distance`], [`channel_min`], [`top_k_mean`] | distance between two images' features; minimum over channels; mean of the largest values |
//! | [`batch_matmul`] | many small matrices times constant ones |
//! | [`jpeg`], [`yuv`] | a JPEG decoder's transform, upsampling and colour conversion; cameras' YUV to RGB |
//! | `multiversion` | loops that are compiled once more for wider vectors |
//! | `simd` | vector instructions, selected by [`Isa`], or [`HalfIsa`] for 16-bit floats |
//! | `parallel` | splitting one kernel's blocks between threads |
//!
//! Images are stored channels last: height × width × channels, with a pixel's channels contiguous. An instruction set (AVX-512,
//! AVX2, NEON, or the portable one) is chosen at run time. Results are bit-identical for any number of threads.
//!
//! ```
//! use kernels::{Conv, ConvSpec, Epilogue, Isa, Shape};
//!
//! // The sum of each pixel's 3 × 3 neighbourhood, with zeros beyond the border.
//! let input = Shape { height: 4, width: 4, channels: 1 };
//! let spec = ConvSpec { padding: [[1, 1], [1, 1]], ..ConvSpec::new(input, 1, [3, 3]) };
//! let conv = Conv::new(spec, &[1.0; 9], &[0.0], Epilogue::default(), Isa::best())?;
//! let mut output = vec![0.0; conv.output().len()];
//! conv.run(&[1.0; 16], None, &mut output)?;
//! assert_eq!(output[..4], [4.0, 6.0, 6.0, 4.0]);
//! # Ok::<(), kernels::Error>(())
//! ```

#![allow(clippy::needless_range_loop, reason = "loops over vectors use indices, see `simd::SimdTask`")]
#![allow(
    clippy::inline_always,
    reason = "functions that aren't inlined aren't compiled for the instruction set, see `simd::SimdTask`"
)]

pub mod batch_matmul;
pub mod bottleneck;
pub mod channel_min;
pub mod conv;
pub mod distance;
pub mod jpeg;
pub mod max_pool;
pub mod normalise;
pub mod resample;
pub mod space_to_depth;
pub mod spec;
pub mod top_k_mean;
pub mod yuv;

mod buffer;
mod depthwise;
mod direct;
mod microkernel;
mod multiversion;
mod parallel;
mod pointwise;
mod simd;
mod winograd;

pub use bottleneck::Bottleneck;
pub use conv::{Algorithm, Conv};
pub use parallel::{alone, with_busy_threads};
pub use simd::{HalfIsa, Isa};
pub use spec::{ConvSpec, Epilogue, Error, Layout, Shape};
