//! Links with two ends: what is sent over them, and what comes back.
//!
//! | module | what it holds |
//! |---|---|
//! | [`serial`] | the serial port (feature `serial`) |

#[cfg(feature = "serial")]
pub mod serial;
