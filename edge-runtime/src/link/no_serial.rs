//! The serial port of a build that has none: there is never a link.

use std::io;

use super::{Incoming, LinkCounts, LinkError};
use crate::line_file::Serial;
use crate::report::PartReport;

/// Nobody has one.
#[derive(Debug)]
pub enum SerialLink {}

impl SerialLink {
    pub(super) const fn new(_serial: &Serial) -> Result<Self, LinkError> {
        Err(LinkError::NoSerial)
    }

    /// Sends a report.
    pub fn send(&self, _report: PartReport) {
        match *self {}
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// None.
    pub fn listen(&self, _incoming: Box<dyn Incoming>) -> io::Result<()> {
        match *self {}
    }

    /// Whether its thread has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match *self {}
    }

    /// What went over it.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        match *self {}
    }
}
