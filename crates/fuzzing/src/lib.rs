//! Tests with mutated inputs: valid ones with flipped, removed, duplicated and inserted bytes. Every input must be accepted
//! or refused without a panic, within a time limit and within a memory limit; an input that fails is kept in a file.
//!
//! Each test program is a crate's `tests/fuzz.rs`, with one test for each kind of input:
//!
//! ```
//! #[global_allocator]
//! static MEMORY: fuzzing::Memory = fuzzing::Memory;
//!
//! # fn main() {
//! let stats = fuzzing::Fuzz::new("numbers", 1000).run(&[b"1 2 3".to_vec()], |bytes| {
//!     std::str::from_utf8(bytes).is_ok_and(|text| text.split(' ').all(|word| word.parse::<u32>().is_ok()))
//! });
//! assert!(stats.inputs > stats.accepted);
//! # }
//! ```
//!
//! As part of the ordinary tests it tries a fixed number of inputs; `cargo xtask fuzz` sets these variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `NOMINAL_FUZZ_COUNT` | number of inputs of each kind |
//! | `NOMINAL_FUZZ_MINUTES` | minutes for each kind, instead of a number of inputs |
//! | `NOMINAL_FUZZ_SEED` | the seed; an input depends only on it and on the input's number |
//! | `NOMINAL_FUZZ_INPUT` | a file: tries only this input, unchanged |
#![allow(clippy::panic, clippy::expect_used, reason = "this crate is test support")]

mod memory;
mod rng;
mod run;
mod settings;
mod watchdog;

pub use memory::Memory;
pub use rng::Rng;
pub use run::{Fuzz, Stats};
