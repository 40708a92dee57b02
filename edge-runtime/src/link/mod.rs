//! Links: devices with two ends. An output sends over a link, an input takes what comes back, and both have it from
//! [`Links`] by the name of its table in the line file.
//!
//! | module | what it holds |
//! |---|---|
//! | `links` | the links that a line file names |
//! | `ends` | what all links have in common |
//! | [`serial`] | the serial port (feature `serial`) |

mod ends;
mod links;
#[cfg(feature = "serial")]
pub mod serial;
#[cfg(not(feature = "serial"))]
#[path = "no_serial.rs"]
pub mod serial;

pub use ends::{Incoming, LinkCounts, LinkError};
pub use links::Links;
