//! The trait for inputs that the consumer polls and reads itself.

use std::io;
use std::os::fd::BorrowedFd;

use super::Event;
use crate::clock::Moment;

/// Inputs with a file descriptor to poll, so that the events of trigger and encoder stay in order.
pub trait Inputs: Send {
    /// Returns the file descriptor, which is readable when something has happened.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Appends new events to `events`. Never blocks.
    ///
    /// # Errors
    /// The system's error if the device is gone.
    fn read(&mut self, events: &mut Vec<Event>) -> io::Result<()>;

    /// Returns when [`Self::read`] is due even if nothing has happened.
    fn next_wake(&self) -> Option<Moment>;

    /// Returns the number of lost edges that no event reports.
    fn lost_edges(&self) -> u64;
}
