//! Stand-in for the serial link in builds without serial port support.

use std::io;

use super::{LinkCounts, LinkError, LinkReceiver};
use crate::line_file::SerialConfig;
use crate::report::PartReport;

/// A serial link, which can't exist in this build.
#[derive(Debug)]
pub enum SerialLink {}

impl SerialLink {
    pub(super) const fn new(_serial: &SerialConfig) -> Result<Self, LinkError> {
        Err(LinkError::NoSerial)
    }

    /// Sends a report.
    pub fn send(&self, _report: PartReport) {
        match *self {}
    }

    /// Starts listening.
    ///
    /// # Errors
    /// Never.
    pub fn listen(&self, _receiver: Box<dyn LinkReceiver>) -> io::Result<()> {
        match *self {}
    }

    /// Returns whether the link's thread has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match *self {}
    }

    /// Returns the counts of the link.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        match *self {}
    }
}
