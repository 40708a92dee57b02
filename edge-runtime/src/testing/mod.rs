//! What tests of several modules need.

pub mod emulated;
pub mod small_disk;
