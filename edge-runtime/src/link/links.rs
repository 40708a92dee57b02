//! The links that a line file names.

use std::sync::Arc;

use super::LinkError;
use super::serial::SerialLink;
use super::socket::SocketLink;
use crate::line_file::LineFile;

/// The links of a line, each by the name of its table in the line file. Clones share the links.
#[derive(Debug, Clone, Default)]
pub struct Links {
    serial: Option<Arc<SerialLink>>,
    socket: Option<Arc<SocketLink>>,
}

impl Links {
    /// Creates the links of a line file. Their devices are opened once an input listens to them.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn of(line: &LineFile) -> Result<Self, LinkError> {
        let serial = line.serial.as_ref().map(SerialLink::new).transpose()?;
        let socket = line.socket.as_ref().map(SocketLink::new);
        Ok(Self { serial: serial.map(Arc::new), socket: socket.map(Arc::new) })
    }

    /// Returns the link of the table `[serial]`.
    #[must_use]
    pub const fn serial(&self) -> Option<&Arc<SerialLink>> {
        self.serial.as_ref()
    }

    /// Returns the link of the table `[socket]`.
    #[must_use]
    pub const fn socket(&self) -> Option<&Arc<SocketLink>> {
        self.socket.as_ref()
    }
}
