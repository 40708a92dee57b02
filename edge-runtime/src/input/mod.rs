//! What happens on the line, from whichever input it comes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`edges`] | level changes of GPIO lines → events |
//! | [`contact`] | an input that bounces |
//! | [`gpio`] | the GPIO lines of a chip (feature `gpio`) |
//! | [`commands`] | bytes of the serial port → commands |
//! | [`serial`] | the commands of a peer on the serial port → events and answers |
//! | [`encoder_count`] | counts of an encoder that a peer sends → ticks |
//! | [`encoder_watch`] | an encoder that is silent although the belt must be moving |
//! | `interface` | inputs that whoever needs their events waits for and reads itself |
//! | `open` | those that a line file names |

pub mod commands;
pub mod contact;
pub mod edges;
pub mod encoder_count;
pub mod encoder_watch;
#[cfg(feature = "gpio")]
pub mod gpio;
mod interface;
mod open;
pub mod serial;

use crate::clock::Moment;

pub use interface::Inputs;
pub use open::{InputError, open};

/// Something happened on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A part is in front of the camera.
    Trigger,
    /// Triggers before this moment were lost: parts went by that nobody saw.
    TriggersLost {
        /// So many, at least one.
        parts: u32,
    },
    /// The belt has moved.
    Encoder {
        /// By so many ticks; at least one.
        ticks: u32,
    },
    /// The encoder's count ran back or jumped: nobody knows how far the belt has moved.
    EncoderJump,
    /// The belt was started or stopped.
    Belt {
        /// Whether it runs.
        running: bool,
    },
    /// A rejected part has fallen.
    Fell,
    /// The product inputs show another number.
    Select(u8),
    /// A product was asked for by name: its place in the line file.
    Product(usize),
    /// A challenge begins: known-bad parts follow.
    Challenge,
    /// Somebody has seen the alarms.
    Acknowledge,
}
