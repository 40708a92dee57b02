//! The serial port as a link: reports go out, a peer's bytes come in. `docs/serial.md` specifies the grammar.
//!
//! | module | contents |
//! |---|---|
//! | `port` | the device, opened in non-blocking mode |
//! | `outgoing` | the bytes to be sent |
//! | `thread` | opens the device, serves it, and reopens it when it is gone |
//! | `state` | state shared by the thread and the link |

mod outgoing;
mod port;
mod state;
mod thread;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use super::{LinkCounts, LinkError, LinkReceiver};
use crate::line_file::SerialConfig;
use crate::realtime::{Waiter, Waker, side_thread};
use crate::report::PartReport;
use state::PortState;
use thread::PortThread;

/// A serial port. One thread reads, writes, and reopens the device when it is gone. While the device is gone or slow, or
/// no input listens yet, the newest 256 reports wait.
#[derive(Debug)]
pub struct SerialLink {
    serial: SerialConfig,
    shared: Arc<PortState>,
    running: OnceLock<Running>,
}

#[derive(Debug)]
struct Running {
    waker: Waker,
    thread: JoinHandle<()>,
}

impl SerialLink {
    #[expect(clippy::unnecessary_wraps, reason = "its stand-in without serial port support returns an error")]
    pub(super) fn new(serial: &SerialConfig) -> Result<Self, LinkError> {
        Ok(Self { serial: serial.clone(), shared: Arc::default(), running: OnceLock::new() })
    }

    /// Starts the port's thread, with `receiver` as the receiving end. An absent device is not an error: the thread keeps
    /// looking for it.
    ///
    /// # Errors
    /// The system's error if it has no more threads or file descriptors; [`io::ErrorKind::AlreadyExists`] if the link
    /// already has a receiving end.
    pub fn listen(&self, receiver: Box<dyn LinkReceiver>) -> io::Result<()> {
        if self.running.get().is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let waiter = Waiter::new()?;
        let waker = waiter.waker();
        let port_thread = PortThread::new(self.serial.clone(), receiver, Arc::clone(&self.shared), waiter);
        let thread = side_thread("serial").spawn(move || port_thread.run())?;
        self.running.set(Running { waker, thread }).map_err(|_| io::ErrorKind::AlreadyExists.into())
    }

    /// Sends a report. Never blocks.
    pub fn send(&self, report: PartReport) {
        self.shared.queue.push(report);
        if let Some(running) = self.running.get() {
            running.waker.wake();
        }
    }

    /// Returns whether the port's thread has stopped unexpectedly.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.running.get().is_some_and(|running| running.thread.is_finished())
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        let shared = &self.shared;
        LinkCounts {
            connected: shared.connected.load(Ordering::Relaxed),
            opened: shared.opened.load(Ordering::Relaxed),
            dropped: shared.queue.dropped(),
        }
    }
}

impl Drop for SerialLink {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        if let Some(Running { waker, thread }) = self.running.take() {
            waker.wake();
            // It ends within half a second. The result is of no interest, not even if it panicked.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
