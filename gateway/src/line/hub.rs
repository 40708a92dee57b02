//! Shares the line's state, its events and the way for commands among the neighbours.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_format::gateway::{Command, GatewayMessage, LineMessage};
use tokio::sync::{broadcast, mpsc};

use super::state::{Event, LineState};

/// The largest number of events that wait for a neighbour; all tasks take theirs at once.
const EVENTS: usize = 1024;
/// The largest number of commands that wait for the line.
const COMMANDS: usize = 64;

/// The commands that wait for the line.
pub type CommandQueue = mpsc::Receiver<GatewayMessage>;

/// Why a command was not passed on to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The line is not connected.
    #[error("the line is not connected")]
    NotConnected,
    /// The line file doesn't accept commands of this kind.
    #[error("the line doesn't accept this command; add it to socket.accept in the line file")]
    SwitchedOff,
    /// Too many commands wait already.
    #[error("too many commands wait for the line")]
    Busy,
}

/// Counts of the Modbus server.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ModbusCounts {
    pub clients: AtomicU64,
    pub connections: AtomicU64,
    pub turned_away: AtomicU64,
    pub requests: AtomicU64,
    pub exceptions: AtomicU64,
    pub garbage: AtomicU64,
}

/// Counts of the MQTT client.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MqttCounts {
    /// 1 while the broker is connected.
    pub connected: AtomicU64,
    pub connections: AtomicU64,
    pub published: AtomicU64,
    pub dropped: AtomicU64,
    pub waiting: AtomicU64,
    pub waiting_bytes: AtomicU64,
}

/// Counts of the webhook.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WebhookCounts {
    pub delivered: AtomicU64,
    pub failures: AtomicU64,
    pub dropped: AtomicU64,
}

/// A handle to the line. Clones refer to the same line.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    line: Mutex<LineState>,
    events: broadcast::Sender<Event>,
    commands: mpsc::Sender<GatewayMessage>,
    next_number: AtomicU32,
    modbus: ModbusCounts,
    mqtt: MqttCounts,
    webhook: WebhookCounts,
}

impl Hub {
    /// Creates the hub of a line that is not connected, and the queue of commands for its client.
    #[must_use]
    pub fn new() -> (Self, CommandQueue) {
        let (commands, queue) = mpsc::channel(COMMANDS);
        let inner = Inner {
            line: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
            commands,
            next_number: AtomicU32::new(1),
            modbus: ModbusCounts::default(),
            mqtt: MqttCounts::default(),
            webhook: WebhookCounts::default(),
        };
        (Self(Arc::new(inner)), queue)
    }

    /// Returns what is known of the line. Don't hold it while waiting.
    pub fn line(&self) -> MutexGuard<'_, LineState> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the events from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Takes a message from the line.
    pub fn apply(&self, message: LineMessage) {
        let mut events = vec![];
        self.line().apply(message, &mut events);
        self.tell(events);
    }

    /// Notes that the line is gone.
    pub fn disconnect(&self) {
        let mut events = vec![];
        self.line().disconnect(&mut events);
        self.tell(events);
    }

    fn tell(&self, events: Vec<Event>) {
        for event in events {
            // Without neighbours that listen, nobody gets it.
            let _ = self.0.events.send(event);
        }
    }

    /// Passes a command on to the line and returns its number. Never waits.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn command(&self, command: Command) -> Result<u32, CommandError> {
        let accepts = {
            let line = self.line();
            let hello = line.hello.as_ref().filter(|_| line.connected);
            hello.ok_or(CommandError::NotConnected)?.accepts
        };
        if accepts & command.kind().bit() == 0 {
            return Err(CommandError::SwitchedOff);
        }
        let number = self.0.next_number.fetch_add(1, Ordering::Relaxed);
        let message = GatewayMessage::Command { number, command };
        self.0.commands.try_send(message).map_err(|_| CommandError::Busy)?;
        Ok(number)
    }

    /// Returns the counts of the Modbus server.
    #[must_use]
    pub fn modbus(&self) -> &ModbusCounts {
        &self.0.modbus
    }

    /// Returns the counts of the MQTT client.
    #[must_use]
    pub fn mqtt(&self) -> &MqttCounts {
        &self.0.mqtt
    }

    /// Returns the counts of the webhook.
    #[must_use]
    pub fn webhook(&self) -> &WebhookCounts {
        &self.0.webhook
    }
}

#[cfg(test)]
mod tests {
    use shared_format::gateway::CommandKind;

    use super::super::state::tests::hello;
    use super::*;

    #[test]
    fn commands_reach_a_line_that_is_there_and_accepts_them_and_only_so_many_wait() {
        let (hub, mut queue) = Hub::new();
        assert_eq!(hub.command(Command::Acknowledge), Err(CommandError::NotConnected));
        hub.apply(hello(CommandKind::Acknowledge.bit()));
        assert_eq!(hub.command(Command::Challenge), Err(CommandError::SwitchedOff));
        for number in 1..=64 {
            assert_eq!(hub.command(Command::Acknowledge), Ok(number));
        }
        assert_eq!(hub.command(Command::Acknowledge), Err(CommandError::Busy));
        assert_eq!(
            queue.try_recv().unwrap(),
            GatewayMessage::Command { number: 1, command: Command::Acknowledge }
        );
        hub.disconnect();
        assert_eq!(hub.command(Command::Acknowledge), Err(CommandError::NotConnected));
    }
}
