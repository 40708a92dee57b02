//! What crosses the boundary between the trainer (host) and the edge runtime (device).
//!
//! `no_std`, no allocation, no `unsafe`: neither this crate nor what it depends on needs an operating system. Where the
//! Rust target is installed, `cargo build -p shared-format --target thumbv7em-none-eabi` shows it. The bytes are
//! specified in `SPEC.md`, beside this crate's manifest; golden-byte tests pin them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`threshold_file`] | `model.threshold`: the thresholds of one model, their evidence, the recipe; encode and decode |
//! | [`image_score`] | what the score of a frame is |
//! | [`recipe`] | how a frame becomes the network's input |
//! | [`alignment`] | how a part's position in view is found |
//! | [`ignore_mask`] | what of a part is not judged |
//! | [`verdict`] | pass, reject, fault |
//! | [`disposition`] | where a part went, and why |
//! | [`telegram`] | what became of one part, for a serial line; encode, decode and a decoder for streams |
//! | [`conformal`] | which calibration score becomes the threshold, and what that lets one claim |
//!
//! ```
//! use shared_format::{Verdict, conformal};
//!
//! // 62 normals, at most 5 % false alarms wanted: the third largest score is the threshold.
//! let choice = conformal::choose(62, 0.05);
//! assert_eq!(choice.rank, 3);
//! assert!(choice.reaches_target);
//! assert_eq!(Verdict::of(0.4, 0.5), Verdict::Pass);
//! assert_eq!(Verdict::of(f32::NAN, 0.5), Verdict::Fault);
//! ```
#![no_std]
#![forbid(unsafe_code)]

pub mod alignment;
mod byte_array;
pub mod conformal;
pub mod disposition;
pub mod ignore_mask;
pub mod image_score;
pub mod recipe;
pub mod telegram;
pub mod threshold_file;
pub mod verdict;

pub use alignment::{Alignment, Motion, Reference};
pub use disposition::{Disposition, Reason};
pub use ignore_mask::IgnoreMask;
pub use image_score::{Descriptor, ImageScore};
pub use recipe::{Colour, FrameRange, Recipe, Roi, Size, Tiles};
pub use telegram::{Telegram, TelegramError};
pub use threshold_file::{Arithmetic, Evidence, FormatError, Golden, Sample, ScoreQuantiles, ThresholdFile};
pub use verdict::Verdict;
