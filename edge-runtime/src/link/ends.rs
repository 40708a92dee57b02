//! What all links have in common: the end that takes what comes in, what went over it, and why there is none.

use crate::clock::Moment;

/// Why a link can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The serial port is not compiled in.
    #[error("this build has no serial port; build with --features serial")]
    NoSerial,
}

/// The end of a link that takes what comes in. It is called on the link's thread and must not wait.
pub trait Incoming: Send {
    /// Is told when the device is open, before anything is read, and when it is gone.
    fn connected(&mut self, on: bool);

    /// Takes bytes that were read at `now`. What it gives to `answer`, a line of text without its end, is sent back if
    /// the link's format has answers.
    fn take(&mut self, bytes: &[u8], now: Moment, answer: &mut dyn FnMut(String));
}

/// What went over a link, and what did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Whether the device is open.
    pub connected: bool,
    /// How often it was opened.
    pub opened: u64,
    /// Reports that nobody got: the device was gone or slow.
    pub dropped: u64,
}
