//! The crate by its public interface.
//!
//! One program with a module for each subject, so that it is linked once.

// Clippy's settings for tests cover test functions only, not their helpers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod align;
mod allocations;
mod decode;
mod engine;
mod frame_reader;
mod ignore_mask;
mod jpeg;
mod kernels;
mod light;
mod operators;
mod prepare;
#[path = "../support/mod.rs"]
mod support;
mod tiles;
mod verdicts;
mod zones;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
