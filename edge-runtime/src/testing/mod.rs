//! Helpers for the tests of several modules.

pub mod emulator;
pub mod outputs;
pub mod small_disk;
