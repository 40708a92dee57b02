//! The socket's thread: accepts gateways, sends them reports and status, and takes their commands.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use shared_format::gateway::{Answer, GatewayMessage, LineMessage};

use super::connection::Connection;
use super::listener::Listener;
use super::{SocketReceiver, SocketState};
use crate::clock::Moment;
use crate::log::limited;
use crate::realtime::{MAX_FDS, Waiter};

/// Maximum number of gateways at once: one in service, one that is about to replace it, one that checks its settings.
const MAX_CONNECTIONS: usize = MAX_FDS - 1;
/// Interval between two statuses. A gateway may treat three missing ones as silence.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// How often it is checked whether the status can't wait.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Pause between attempts to make the socket.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long gateways are given, at the end, to take what still waits to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

pub(super) struct SocketThread {
    path: PathBuf,
    receiver: Box<dyn SocketReceiver>,
    shared: Arc<SocketState>,
    waiter: Waiter,
    next_look: Moment,
    next_status: Moment,
    /// The number of connections so far.
    connections: u64,
}

impl SocketThread {
    pub(super) const fn new(
        path: PathBuf,
        receiver: Box<dyn SocketReceiver>,
        shared: Arc<SocketState>,
        waiter: Waiter,
    ) -> Self {
        let (next_look, next_status) = (Moment(0), Moment(0));
        Self { path, receiver, shared, waiter, next_look, next_status, connections: 0 }
    }

    pub(super) fn run(mut self) {
        let path = self.path.display().to_string();
        while !self.is_ending() {
            let gone = Listener::open(&self.path).and_then(|listener| {
                limited!(info, "the gateway's socket {path} is open");
                self.shared.open.store(true, Ordering::Relaxed);
                self.serve(&listener)
            });
            self.shared.open.store(false, Ordering::Relaxed);
            self.set_subscribed(false);
            if let Err(e) = gone {
                limited!(
                    warn,
                    "the gateway's socket {path} can't be used: {e}; check that its folder exists and can be written to, and \
                     that no other line uses it, or correct socket.path"
                );
                self.sleep();
            }
        }
        while self.shared.queue.pop().is_some() {
            self.shared.queue.count_dropped();
        }
    }

    /// Serves gateways until the link ends.
    fn serve(&mut self, listener: &Listener) -> io::Result<()> {
        let mut connections: Vec<Connection> = vec![];
        let mut end = None;
        loop {
            let now = Moment::now();
            if end.is_none() && self.is_ending() {
                end = Some(now + FLUSH_TIMEOUT);
            }
            self.pass_on_reports(&mut connections);
            self.answer(&mut connections);
            self.report_status(&mut connections, now);
            connections.retain_mut(|connection| connection.send().is_ok());
            self.set_subscribed(connections.iter().any(|connection| connection.is_subscribed));
            let all_sent = !connections.iter().any(Connection::is_sending);
            if end.is_some_and(|end| all_sent || end <= now) {
                return Ok(());
            }
            self.wait(listener, &connections, end)?;
            self.accept(listener, &mut connections);
            self.receive(&mut connections);
        }
    }

    fn pass_on_reports(&self, connections: &mut [Connection]) {
        let subscribed = |connection: &&mut Connection| connection.is_subscribed;
        if !connections.iter().any(|connection| connection.is_subscribed) {
            return;
        }
        while let Some(report) = self.shared.queue.pop() {
            let message = LineMessage::Part(report.message());
            let mut lost = false;
            for connection in connections.iter_mut().filter(subscribed) {
                lost |= !connection.push(&message);
            }
            if lost {
                self.shared.queue.count_dropped();
            }
        }
    }

    /// Passes the answers to decisions and tasks on to the connections that still exist.
    fn answer(&mut self, connections: &mut [Connection]) {
        for (number, answer) in self.receiver.answers() {
            if let Some(connection) = connections.iter_mut().find(|connection| connection.number == number) {
                connection.push(&LineMessage::Answer(answer));
            }
        }
    }

    fn report_status(&mut self, connections: &mut [Connection], now: Moment) {
        if connections.is_empty() || now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_INTERVAL;
        if self.receiver.is_urgent() || now >= self.next_status {
            self.next_status = now + STATUS_INTERVAL;
            for message in self.receiver.status() {
                for connection in connections.iter_mut() {
                    // One that doesn't read gets the next status.
                    connection.push(&message);
                }
            }
        }
    }

    fn wait(&self, listener: &Listener, connections: &[Connection], end: Option<Moment>) -> io::Result<()> {
        let look = (!connections.is_empty()).then_some(self.next_look);
        let reads = connections.iter().filter_map(Connection::next_read);
        let deadline = end.into_iter().chain(look).chain(reads).min();
        let full = connections.len() >= MAX_CONNECTIONS;
        let accepts = if full { PollFlags::empty() } else { PollFlags::IN };
        let listening = PollFd::from_borrowed_fd(listener.fd(), accepts);
        let connected = connections.iter().map(|connection| {
            let mut wanted = PollFlags::empty();
            wanted.set(PollFlags::IN, connection.next_read().is_none());
            wanted.set(PollFlags::OUT, connection.is_sending());
            PollFd::from_borrowed_fd(connection.fd(), wanted)
        });
        self.waiter.wait_for(deadline, std::iter::once(listening).chain(connected)).map(drop)
    }

    fn accept(&mut self, listener: &Listener, connections: &mut Vec<Connection>) {
        while connections.len() < MAX_CONNECTIONS
            && let Some(stream) = listener.accept()
        {
            self.connections += 1;
            let Ok(mut connection) = Connection::new(self.connections, stream, Moment::now()) else {
                continue;
            };
            for message in self.receiver.hello().iter().chain(&self.receiver.status()) {
                connection.push(message);
            }
            connections.push(connection);
        }
    }

    fn receive(&mut self, connections: &mut Vec<Connection>) {
        let mut messages = vec![];
        connections.retain_mut(|connection| {
            let now = Moment::now();
            let received = connection.receive(now, &mut messages);
            for message in messages.drain(..) {
                match message {
                    Ok(GatewayMessage::Subscribe) => connection.is_subscribed = true,
                    Ok(GatewayMessage::Command { number, command }) => {
                        let outcome = self.receiver.execute(command, now);
                        // One that doesn't read needs no answer.
                        connection.push(&LineMessage::Answer(Answer { number, outcome }));
                    }
                    Ok(GatewayMessage::Decide(decide)) => {
                        let number = decide.number;
                        if let Some(outcome) = self.receiver.decide(connection.number, decide) {
                            connection.push(&LineMessage::Answer(Answer { number, outcome }));
                        }
                    }
                    Ok(GatewayMessage::Task(task)) => {
                        let number = task.number;
                        if let Some(outcome) = self.receiver.task(connection.number, task) {
                            connection.push(&LineMessage::Answer(Answer { number, outcome }));
                        }
                    }
                    Err(e) => {
                        self.shared.garbage.fetch_add(1, Ordering::Relaxed);
                        limited!(warn, "a message from the gateway can't be read: {e}");
                    }
                }
            }
            received.is_ok()
        });
    }

    fn set_subscribed(&mut self, on: bool) {
        if self.shared.subscribed.swap(on, Ordering::Relaxed) != on {
            self.shared.subscriptions.fetch_add(on.into(), Ordering::Relaxed);
            self.receiver.connected(on);
        }
    }

    fn sleep(&mut self) {
        let until = Moment::now() + RETRY_PAUSE;
        // Each report wakes the thread too.
        while !self.is_ending() && Moment::now() < until {
            if self.waiter.wait(Some(until), &[]).is_err() {
                std::thread::sleep(RETRY_PAUSE);
            }
        }
    }

    fn is_ending(&self) -> bool {
        self.shared.ending.load(Ordering::Acquire)
    }
}
