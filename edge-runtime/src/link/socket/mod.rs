//! A local socket as a link: the gateway connects to it, gets reports and status, and sends commands, as messages of
//! [`shared_format::gateway`].
//!
//! | module | contents |
//! |---|---|
//! | `listener` | the socket in the file system |
//! | `connection` | one connected gateway |
//! | `thread` | accepts and serves gateways |
//! | `check` | whether the socket can be made, and who can connect |
//!
//! A gateway can't hold up the line: one thread serves all connections, never blocks, and bounds what it keeps for each and
//! what it reads from each. What a gateway doesn't read in time is dropped and counted.

mod check;
mod connection;
mod listener;
mod thread;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use shared_format::gateway::{Answer, Command, Decide, LineMessage, Outcome, TaskRequest};

use super::LinkCounts;
use crate::clock::Moment;
use crate::line_file::SocketConfig;
use crate::realtime::{Waiter, Waker, side_thread};
use crate::report::{PartReport, ReportQueue};
pub use check::check;
use thread::SocketThread;

/// How long the thread may take to end: it flushes for a fifth of a second.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
const STOP_POLL: Duration = Duration::from_millis(2);

/// The receiving end of the socket. Its methods are called on the socket's thread and must not block.
pub trait SocketReceiver: Send {
    /// Called when the first gateway has subscribed, and when the last one is gone.
    fn connected(&mut self, on: bool);

    /// Carries out a command that was read at `now`.
    fn execute(&mut self, command: Command, now: Moment) -> Outcome;

    /// Takes a decision that came over this connection. `None` if it is answered later, by [`Self::answers`].
    fn decide(&mut self, connection: u64, decide: Decide) -> Option<Outcome>;

    /// Takes a task that came over this connection. `None` if it is answered later, by [`Self::answers`].
    fn task(&mut self, connection: u64, task: TaskRequest) -> Option<Outcome>;

    /// Returns the answers to decisions and tasks, each with its connection. Called at least every tenth of a second while a gateway is
    /// connected.
    fn answers(&mut self) -> Vec<(u64, Answer)>;

    /// Returns the messages that a connection starts with.
    fn hello(&mut self) -> Vec<LineMessage>;

    /// Returns the status, with latencies and problems.
    fn status(&mut self) -> Vec<LineMessage>;

    /// Whether the status has changed so much that it can't wait. Called every tenth of a second.
    fn is_urgent(&mut self) -> bool;
}

/// The socket. While no gateway has subscribed, the newest 256 reports wait.
#[derive(Debug)]
pub struct SocketLink {
    path: PathBuf,
    shared: Arc<SocketState>,
    running: OnceLock<(Waker, JoinHandle<()>)>,
}

/// State shared by the thread and the link.
#[derive(Debug, Default)]
struct SocketState {
    queue: ReportQueue,
    ending: AtomicBool,
    /// Whether the socket is there.
    open: AtomicBool,
    subscribed: AtomicBool,
    /// How often a gateway subscribed.
    subscriptions: AtomicU64,
    /// Messages that could not be read.
    garbage: AtomicU64,
}

impl SocketLink {
    pub(super) fn new(socket: &SocketConfig) -> Self {
        Self { path: socket.path.clone(), shared: Arc::default(), running: OnceLock::new() }
    }

    /// Starts the socket's thread, with `receiver` as the receiving end. A socket that can't be made is not an error: the
    /// thread keeps trying.
    ///
    /// # Errors
    /// The system's error if it has no more threads or file descriptors; [`io::ErrorKind::AlreadyExists`] if the link
    /// already has a receiving end.
    pub fn listen(&self, receiver: Box<dyn SocketReceiver>) -> io::Result<()> {
        if self.running.get().is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let waiter = Waiter::new()?;
        let waker = waiter.waker();
        let socket_thread = SocketThread::new(self.path.clone(), receiver, Arc::clone(&self.shared), waiter);
        let thread = side_thread("socket").spawn(move || socket_thread.run())?;
        self.running.set((waker, thread)).map_err(|_| io::ErrorKind::AlreadyExists.into())
    }

    /// Ends the thread, after a short time for pending reports, and drops the receiving end.
    pub fn stop(&self) {
        self.shared.ending.store(true, Ordering::Release);
        let Some((waker, thread)) = self.running.get() else { return };
        waker.wake();
        let end = Moment::now() + STOP_TIMEOUT;
        while !thread.is_finished() && Moment::now() < end {
            std::thread::sleep(STOP_POLL);
        }
    }

    /// Sends a report. Never blocks.
    pub fn send(&self, report: PartReport) {
        self.shared.queue.push(report);
        if let Some((waker, _)) = self.running.get() {
            waker.wake();
        }
    }

    /// Returns whether the thread has stopped unexpectedly.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.running.get().is_some_and(|(_, thread)| thread.is_finished())
    }

    /// Returns whether the socket is there for gateways to connect to.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Returns the number of messages from gateways that could not be read.
    #[must_use]
    pub fn garbage(&self) -> u64 {
        self.shared.garbage.load(Ordering::Relaxed)
    }

    /// Returns the counts so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        LinkCounts {
            connected: self.shared.subscribed.load(Ordering::Relaxed),
            opened: self.shared.subscriptions.load(Ordering::Relaxed),
            dropped: self.shared.queue.dropped(),
        }
    }
}

impl Drop for SocketLink {
    fn drop(&mut self) {
        self.stop();
    }
}
