//! Types and formats shared by the trainer (host) and the edge runtime (device).
//!
//! `no_std`, no allocation, no `unsafe`: neither this crate nor its dependencies need an operating system. If the Rust
//! target is installed, `cargo build -p shared-format --target thumbv7em-none-eabi` shows it. The bytes are specified in
//! `SPEC.md`, next to this crate's manifest; golden-byte tests pin them.
//!
//! | module | contents |
//! |---|---|
//! | [`threshold_file`] | `model.threshold`: one model's thresholds, their evidence and the recipe; encoder and decoder |
//! | [`image_score`] | how a frame's score is defined |
//! | [`taught_defects`] | how likeness to known defects counts |
//! | [`recipe`] | how a frame becomes the network's input |
//! | [`alignment`] | how a part's position in view is found |
//! | [`ignore_mask`] | the area of a part that is not judged |
//! | [`reference_patch`] | an area in view by which a frame's light is corrected |
//! | [`zones`] | areas of a part with limits of their own |
//! | [`verdict`] | pass, reject, fault |
//! | [`disposition`] | where a part went, and why |
//! | [`telegram`] | what became of one part, as bytes for a serial line; encoder, decoder and stream decoder |
//! | [`gateway`] | what a line and its gateway tell each other over a local socket |
//! | [`conformal`] | which calibration score becomes the threshold, and what that lets one claim |
//!
//! ```
//! use shared_format::{Verdict, conformal};
//!
//! // With 62 normals and at most 5 % false alarms, the threshold is the third-largest score.
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
mod cell_grid;
pub mod conformal;
pub mod disposition;
mod frame;
pub mod gateway;
pub mod ignore_mask;
pub mod image_score;
pub mod recipe;
pub mod reference_patch;
pub mod taught_defects;
pub mod telegram;
pub mod threshold_file;
pub mod verdict;
pub mod zones;

pub use alignment::{Alignment, Motion, Reference};
pub use disposition::{Disposition, Reason};
pub use ignore_mask::IgnoreMask;
pub use image_score::{Descriptor, ImageScore};
pub use recipe::{Colour, FrameRange, Recipe, Roi, Size, Tiles};
pub use reference_patch::ReferencePatch;
pub use taught_defects::{DefectKind, TaughtDefects};
pub use telegram::{Telegram, TelegramError};
pub use threshold_file::{Arithmetic, Evidence, FormatError, Golden, Sample, ScoreQuantiles, ThresholdFile};
pub use verdict::Verdict;
pub use zones::{RobustStats, Zone, ZoneMask, Zones};
