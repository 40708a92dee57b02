//! What tests of several modules need.

pub mod emulated;
pub mod outputs;
pub mod small_disk;
