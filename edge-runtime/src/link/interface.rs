//! Types common to all links: the receiving end, the counts and the error.

use crate::clock::Moment;

/// Reason why a link is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Serial port support is not compiled in.
    #[error("this build has no serial port support; build with --features serial")]
    NoSerial,
}

/// The receiving end of a link. Its methods are called on the link's thread and must not block.
pub trait LinkReceiver: Send {
    /// Called when the device has been opened, before anything is read, and when it is gone.
    fn connected(&mut self, on: bool);

    /// Takes bytes that were read at `now`. A line of text passed to `answer`, without its line ending, is sent back if the
    /// link's format has answers.
    fn receive(&mut self, bytes: &[u8], now: Moment, answer: &mut dyn FnMut(String));
}

/// Counts of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Whether the device is open.
    pub connected: bool,
    /// How often the device was opened.
    pub opened: u64,
    /// Reports that were not delivered because the device was gone or slow.
    pub dropped: u64,
}
