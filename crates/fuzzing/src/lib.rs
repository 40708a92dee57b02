//! Mutated inputs for tests: valid ones with flipped, lost, doubled and inserted bytes. Every input must be taken or refused
//! without a panic, soon, and within some memory; one that isn't is kept in a file.
//!
//! A test program is a crate's `tests/fuzz.rs`, with a test for each kind of input:
//!
//! ```
//! #[global_allocator]
//! static MEMORY: fuzzing::Memory = fuzzing::Memory;
//!
//! # fn main() {
//! let taken = fuzzing::Fuzz::new("numbers", 1000).run(&[b"1 2 3".to_vec()], |bytes| {
//!     std::str::from_utf8(bytes).is_ok_and(|text| text.split(' ').all(|word| word.parse::<u32>().is_ok()))
//! });
//! assert!(taken.inputs > taken.accepted);
//! # }
//! ```
//!
//! Among the ordinary tests it tries a fixed number of inputs; `cargo xtask fuzz` sets these variables:
//!
//! | variable | what it says |
//! |---|---|
//! | `NOMINAL_FUZZ_COUNT` | inputs of each kind |
//! | `NOMINAL_FUZZ_MINUTES` | minutes for each kind, in place of a number of inputs |
//! | `NOMINAL_FUZZ_SEED` | where chance starts; an input depends on it and on the input's number alone |
//! | `NOMINAL_FUZZ_INPUT` | a file: this input alone, as it is |
#![allow(clippy::panic, clippy::expect_used, reason = "this crate is test support")]

mod chance;
mod memory;
mod run;
mod settings;
mod watch;

pub use chance::Chance;
pub use memory::Memory;
pub use run::{Fuzz, Taken};
