//! The product as its users meet it: from photos to verdicts, through the real programs.
//!
//! One program with a module for each subject, so that it is linked once and its tests share the processor's cores.

// Clippy's settings for tests cover test functions only, not their helpers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod adopt;
mod bad_input;
mod batch;
mod compare;
mod data_folders;
mod efficientad;
mod end_to_end;
mod figures;
mod fitted_methods;
mod fleet;
mod flow;
mod ignore_mask;
mod learn;
mod light;
mod map_methods;
mod map_parity;
mod page;
mod parity;
mod quality;
mod setup;
mod stpm;
mod suspects;
mod tasks;
mod taught_defects;
mod teach;
mod tiled_models;
mod zones;
