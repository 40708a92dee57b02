//! Events on the line, from all inputs.
//!
//! | module | contents |
//! |---|---|
//! | [`edges`] | turns level changes of GPIO lines into events |
//! | [`debouncer`] | debounces an input |
//! | [`gpio`] | the GPIO lines of a chip (feature `gpio`) |
//! | [`commands`] | parses bytes from the serial port into commands |
//! | [`serial`] | turns the commands of a peer on the serial port into events and answers |
//! | [`gateway`] | turns the commands of a gateway on the local socket into events |
//! | [`encoder_count`] | turns encoder counts sent by a peer into ticks |
//! | [`encoder_watchdog`] | detects an encoder that is silent although the belt must be moving |
//! | `interface` | the trait for inputs that the consumer polls and reads itself |
//! | `open` | opens the inputs that a line file names |

pub mod commands;
pub mod debouncer;
pub mod edges;
pub mod encoder_count;
pub mod encoder_watchdog;
pub mod gateway;
#[cfg(feature = "gpio")]
pub mod gpio;
mod interface;
mod open;
pub mod serial;

use crate::clock::Moment;

pub use interface::Inputs;
pub use open::{InputError, open};

/// An event on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub kind: EventKind,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A part is in front of the camera.
    Trigger,
    /// Triggers before this moment were lost: parts passed unseen.
    TriggersLost {
        /// Number of parts, at least one.
        parts: u32,
    },
    /// The belt has moved.
    Encoder {
        /// Number of ticks, at least one.
        ticks: u32,
    },
    /// The encoder's count ran back or jumped: how far the belt has moved is unknown.
    EncoderJump,
    /// The belt was started or stopped.
    Belt {
        /// Whether the belt runs.
        running: bool,
    },
    /// A rejected part has fallen.
    Fell,
    /// The product inputs show another number.
    Select(u8),
    /// A product was selected by name; holds its index in the line file.
    Product(usize),
    /// A challenge begins: known-bad parts follow.
    Challenge,
    /// The alarms were acknowledged.
    Acknowledge,
}
