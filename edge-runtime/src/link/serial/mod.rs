//! A peer on the serial port: it gets a report of each part and gives commands. `docs/serial.md` has the grammar.
//!
//! | module | what it holds |
//! |---|---|
//! | `port` | the device, opened so that nothing waits |
//! | `outgoing` | what is being sent |
//! | `incoming` | commands → events and answers |
//! | `peer` | the thread: opens, serves, and opens again when the device has gone |

mod incoming;
mod outgoing;
mod peer;
mod port;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::input::Event;
use crate::input::encoder_count::EncoderCount;
use crate::line_file::Serial;
use crate::realtime::{Waiter, Waker, side_thread};
use crate::report::PartReport;
use crate::report::ReportQueue;
use peer::Peer;

/// What the serial port needs of the line. It is called on the port's thread and must not wait.
pub struct Handlers {
    /// Names of the products, in the order of the line file, for `P NAME`.
    pub products: Vec<Arc<str>>,
    /// Whether `T` makes parts.
    pub triggers: bool,
    /// What becomes of the counts of `E`, if they move the belt. They stand while the device is gone: the belt may go on.
    pub encoder: Option<EncoderCount>,
    /// Gets what happens, with the time at which it was read.
    pub event: Box<dyn FnMut(Event) + Send>,
    /// The answer to `?`, see [`crate::report::text::status`].
    pub status: Box<dyn FnMut() -> String + Send>,
    /// Is told when the device is open, before anything is read, and when it is gone.
    pub connected: Box<dyn FnMut(bool) + Send>,
}

/// What went over the port, and what did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SerialCounts {
    /// Whether the device is open.
    pub connected: bool,
    /// How often it was opened.
    pub opened: u64,
    /// Reports that nobody got: the device was gone or slow.
    pub dropped: u64,
    /// Commands that were understood.
    pub commands: u64,
    /// Lines that were readable but no command, or one that this line does not take.
    pub refused: u64,
    /// Lines that were too long or no text.
    pub garbage: u64,
    /// Encoder counts that ran back or jumped: the way of the belt up to there is unknown.
    pub encoder_jumps: u64,
}

/// The peer on the serial port. One thread reads, writes, and opens the device again when it has gone; as long as it is
/// gone or slow, the newest 256 reports wait.
#[derive(Debug)]
pub struct SerialPeer {
    shared: Arc<Shared>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: ReportQueue,
    ending: AtomicBool,
    connected: AtomicBool,
    opened: AtomicU64,
    commands: AtomicU64,
    refused: AtomicU64,
    garbage: AtomicU64,
    encoder_jumps: AtomicU64,
}

impl SerialPeer {
    /// Starts the port's thread. A device that is not there is no error: it is looked for until it comes.
    ///
    /// # Errors
    /// What the system says where it has no more threads or file descriptors.
    pub fn open(serial: &Serial, handlers: Handlers) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let waiter = Waiter::new()?;
        let waker = waiter.waker();
        let peer = Peer::new(serial.clone(), handlers, Arc::clone(&shared), waiter);
        let thread = side_thread("serial").spawn(move || peer.run())?;
        Ok(Self { shared, waker, thread: Some(thread) })
    }

    /// Reports a part. Never waits.
    pub fn report(&self, report: PartReport) {
        self.shared.queue.push(report);
        self.waker.wake();
    }

    /// Whether the port's thread has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// What went over the port so far.
    #[must_use]
    pub fn counts(&self) -> SerialCounts {
        let shared = &self.shared;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SerialCounts {
            connected: shared.connected.load(Ordering::Relaxed),
            opened: count(&shared.opened),
            dropped: shared.queue.dropped(),
            commands: count(&shared.commands),
            refused: count(&shared.refused),
            garbage: count(&shared.garbage),
            encoder_jumps: count(&shared.encoder_jumps),
        }
    }
}

impl Drop for SerialPeer {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // It ends within half a second; one that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
