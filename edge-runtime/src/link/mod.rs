//! Links: bidirectional devices. An output sends over a link, an input takes what comes back, and both get it from
//! [`Links`] by the name of its table in the line file.
//!
//! | module | contents |
//! |---|---|
//! | `links` | the links that a line file names |
//! | `interface` | types common to all links |
//! | [`serial`] | the serial port (feature `serial`) |
//! | [`socket`] | a local socket, for the gateway |

mod interface;
mod links;
#[cfg(feature = "serial")]
pub mod serial;
#[cfg(not(feature = "serial"))]
#[path = "no_serial.rs"]
pub mod serial;
pub mod socket;

pub use interface::{LinkCounts, LinkError, LinkReceiver};
pub use links::Links;
