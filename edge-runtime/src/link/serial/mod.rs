//! The serial port as a link: reports go out, a peer's bytes come in. `docs/serial.md` has the grammar.
//!
//! | module | what it holds |
//! |---|---|
//! | `port` | the device, opened so that nothing waits |
//! | `outgoing` | what is being sent |
//! | `thread` | opens the device, serves it, and opens it again when it has gone |
//! | `shared` | what the thread and the two ends know of each other |

mod outgoing;
mod port;
mod shared;
mod thread;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use super::{Incoming, LinkCounts, LinkError};
use crate::line_file::Serial;
use crate::realtime::{Waiter, Waker, side_thread};
use crate::report::PartReport;
use shared::Shared;
use thread::Server;

/// A serial port. One thread reads, writes, and opens the device again when it has gone; as long as it is gone or slow, or
/// nobody listens yet, the newest 256 reports wait.
#[derive(Debug)]
pub struct SerialLink {
    serial: Serial,
    shared: Arc<Shared>,
    running: OnceLock<Running>,
}

#[derive(Debug)]
struct Running {
    waker: Waker,
    thread: JoinHandle<()>,
}

impl SerialLink {
    #[expect(clippy::unnecessary_wraps, reason = "a build without serial port gives an error")]
    pub(super) fn new(serial: &Serial) -> Result<Self, LinkError> {
        Ok(Self { serial: serial.clone(), shared: Arc::default(), running: OnceLock::new() })
    }

    /// Starts the port's thread, with the end that takes what comes in. A device that is not there is no error: it is
    /// looked for until it comes.
    ///
    /// # Errors
    /// What the system says if it has no more threads or file descriptors, and where somebody listens already.
    pub fn listen(&self, incoming: Box<dyn Incoming>) -> io::Result<()> {
        if self.running.get().is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let waiter = Waiter::new()?;
        let waker = waiter.waker();
        let server = Server::new(self.serial.clone(), incoming, Arc::clone(&self.shared), waiter);
        let thread = side_thread("serial").spawn(move || server.run())?;
        self.running.set(Running { waker, thread }).map_err(|_| io::ErrorKind::AlreadyExists.into())
    }

    /// Sends a report. Never waits.
    pub fn send(&self, report: PartReport) {
        self.shared.queue.push(report);
        if let Some(running) = self.running.get() {
            running.waker.wake();
        }
    }

    /// Whether the port's thread has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.running.get().is_some_and(|running| running.thread.is_finished())
    }

    /// What went over the port so far.
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
            // It ends within half a second; one that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
