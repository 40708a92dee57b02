//! Inputs that whoever needs their events waits for and reads itself.

use std::io;
use std::os::fd::BorrowedFd;

use super::Event;
use crate::clock::Moment;

/// Inputs with a descriptor to wait for, so that trigger and encoder keep their order.
pub trait Inputs: Send {
    /// Readable when something has happened.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Adds what has happened. Never waits.
    ///
    /// # Errors
    /// What the system says where the device is gone.
    fn read(&mut self, events: &mut Vec<Event>) -> io::Result<()>;

    /// When [`Self::read`] is due although nothing has happened.
    fn next_wake(&self) -> Option<Moment>;

    /// Edges that were lost and of which no event tells.
    fn lost_edges(&self) -> u64;
}
