//! The kernels by the crate's public interface, each beside plain reference code.
//!
//! One program with a module for each subject, so that it is linked once.

// Clippy's settings for tests cover test functions only, not their helpers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod bottleneck;
mod conv;
mod fused_max_pool;
#[allow(clippy::needless_range_loop, reason = "indices as in the formula")]
mod jpeg;
mod limits;
mod others;
#[path = "../reference/mod.rs"]
mod reference;
mod yuv;
