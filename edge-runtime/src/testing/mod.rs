//! Helpers for the tests of several modules.

pub mod emulated;
pub mod outputs;
pub mod small_disk;
