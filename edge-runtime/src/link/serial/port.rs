//! The device, opened in non-blocking mode.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::{Errno, ioctl_fionbio, read, write};
use serialport::TTYPort;

use crate::line_file::SerialConfig;

/// An open serial port: raw bytes, 8 data bits, no parity, one stop bit, no flow control.
#[derive(Debug)]
pub(super) struct Port(TTYPort);

impl Port {
    pub(super) fn open(serial: &SerialConfig) -> io::Result<Self> {
        let port = serialport::new(serial.device.to_string_lossy(), serial.baud).open_native()?;
        let port = Self(port);
        // The crate's own reads and writes block: a write would take as long as the peer likes.
        ioctl_fionbio(port.fd(), true)?;
        Ok(port)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the port owns the descriptor, keeps it open for as long as it lives, and outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }

    /// Reads into `bytes` and returns the number of bytes read, 0 if none are available.
    ///
    /// # Errors
    /// If the device is gone.
    pub(super) fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match read(self.fd(), bytes) {
            // A device that hung up reads as end of file.
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => Ok(read),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    /// Writes from `bytes` and returns the number of bytes written, 0 if there is no room.
    ///
    /// # Errors
    /// If the device is gone.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match write(self.fd(), bytes) {
            Ok(written) => Ok(written),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(e) => Err(e.into()),
        }
    }
}
