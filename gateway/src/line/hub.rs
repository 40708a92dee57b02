//! Shares the line's state, its events and the way for commands among the neighbours.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_format::gateway::{
    Command, CommandKind, Decide, Decision, GatewayMessage, LineMessage, Outcome, Task, TaskRequest, cut,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::state::{Event, LineState};

/// The largest number of events that wait for a neighbour; all tasks take theirs at once.
const EVENTS: usize = 1024;
/// The largest number of commands that wait for the line.
const COMMANDS: usize = 64;

/// The commands that wait for the line.
pub type CommandQueue = mpsc::Receiver<GatewayMessage>;

/// The largest number of commands whose answers somebody waits for.
const ASKED: usize = 128;

/// What becomes of a command, once the line has answered. It fails if the line is gone before.
pub type PendingOutcome = oneshot::Receiver<Outcome>;

/// Set in the numbers of decisions and tasks: however late their answers come, a PLC must not take them for those to its commands.
const DECISION: u32 = 1 << 31;

/// What a person has decided on a record, before it has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionRequest<'a> {
    /// The record's name.
    pub record: &'a str,
    /// The decision.
    pub decision: Decision,
    /// The kind of a defect; empty if it wasn't named.
    pub kind: &'a str,
    /// Who decided.
    pub by: &'a str,
    /// Whether an earlier decision that says otherwise is replaced.
    pub replace: bool,
}

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
    asked: Mutex<HashMap<u32, oneshot::Sender<Outcome>>>,
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
            asked: Mutex::default(),
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
        if let LineMessage::Answer(answer) = &message {
            if let Some(asked) = self.asked().remove(&answer.number) {
                // Whoever asked may have given up.
                let _ = asked.send(answer.outcome);
            }
            if answer.number & DECISION != 0 {
                return;
            }
        }
        let mut events = vec![];
        self.line().apply(message, &mut events);
        self.tell(events);
    }

    /// Notes that the line is gone.
    pub fn disconnect(&self) {
        self.asked().clear();
        let mut events = vec![];
        self.line().disconnect(&mut events);
        self.tell(events);
    }

    /// Tells all neighbours of an event that doesn't come from the line.
    pub fn tell_all(&self, event: Event) {
        self.tell(vec![event]);
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
        self.check_accepts(command.kind())?;
        let number = self.next_number();
        self.send(GatewayMessage::Command { number, command })?;
        Ok(number)
    }

    /// Passes a command on to the line, like [`Self::command`], and returns what will become of it.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn ask(&self, command: Command) -> Result<PendingOutcome, CommandError> {
        self.check_accepts(command.kind())?;
        let number = self.next_number();
        self.send_asked(number, GatewayMessage::Command { number, command })
    }

    /// Passes a decision on to the line and returns what will become of it. Never waits. Texts are cut to the length that the
    /// line takes.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn decide(&self, request: &DecisionRequest<'_>) -> Result<PendingOutcome, CommandError> {
        self.check_accepts(CommandKind::Decide)?;
        let number = self.next_number() | DECISION;
        let decide = Decide {
            number,
            record: cut(request.record),
            decision: request.decision,
            kind: cut(request.kind),
            by: cut(request.by),
            replace: request.replace,
        };
        self.send_asked(number, GatewayMessage::Decide(decide))
    }

    /// Passes what a person asks for on to the line and returns what will become of it. Never waits.
    ///
    /// # Errors
    /// [`CommandError`]
    pub fn task(&self, product: u16, task: Task, by: &str) -> Result<PendingOutcome, CommandError> {
        if !task.is_accepted(self.accepts()?) {
            return Err(CommandError::SwitchedOff);
        }
        let number = self.next_number() | DECISION;
        self.send_asked(number, GatewayMessage::Task(TaskRequest { number, product, by: cut(by), task }))
    }

    fn check_accepts(&self, kind: CommandKind) -> Result<(), CommandError> {
        if self.accepts()? & kind.bit() == 0 { Err(CommandError::SwitchedOff) } else { Ok(()) }
    }

    fn accepts(&self) -> Result<u16, CommandError> {
        let line = self.line();
        let hello = line.hello.as_ref().filter(|_| line.connected);
        hello.map(|hello| hello.accepts).ok_or(CommandError::NotConnected)
    }

    fn next_number(&self) -> u32 {
        self.0.next_number.fetch_add(1, Ordering::Relaxed) & !DECISION
    }

    fn send(&self, message: GatewayMessage) -> Result<(), CommandError> {
        self.0.commands.try_send(message).map_err(|_| CommandError::Busy)
    }

    fn send_asked(&self, number: u32, message: GatewayMessage) -> Result<PendingOutcome, CommandError> {
        let (answer, pending) = oneshot::channel();
        let mut asked = self.asked();
        asked.retain(|_, asked| !asked.is_closed());
        if asked.len() >= ASKED {
            return Err(CommandError::Busy);
        }
        self.send(message)?;
        asked.insert(number, answer);
        Ok(pending)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u32, oneshot::Sender<Outcome>>> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
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
    use shared_format::gateway::Answer;

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

    #[test]
    fn whoever_asked_gets_the_answer_and_a_plc_sees_no_decisions() {
        let (hub, mut queue) = Hub::new();
        hub.apply(hello(CommandKind::Acknowledge.bit() | CommandKind::Decide.bit()));
        let request = DecisionRequest {
            record: "20261125-030101-000012-00000345",
            decision: Decision::Defect,
            kind: "scratch",
            by: "anna",
            replace: false,
        };
        let mut decided = hub.decide(&request).unwrap();
        let mut acknowledged = hub.ask(Command::Acknowledge).unwrap();
        let mut lost = hub.ask(Command::Acknowledge).unwrap();
        let GatewayMessage::Decide(sent) = queue.try_recv().unwrap() else { panic!("no decision") };
        assert_eq!((sent.number, sent.kind.as_str(), sent.by.as_str()), (1 | DECISION, "scratch", "anna"));
        let answer = |number, outcome| LineMessage::Answer(Answer { number, outcome });
        hub.apply(answer(2, Outcome::Done));
        hub.apply(answer(1 | DECISION, Outcome::Gone));
        assert_eq!((decided.try_recv(), acknowledged.try_recv()), (Ok(Outcome::Gone), Ok(Outcome::Done)));
        assert_eq!(hub.line().last_answer, Some(Answer { number: 2, outcome: Outcome::Done }));
        // Nor one whose browser has given up.
        drop(hub.decide(&request).unwrap());
        hub.apply(answer(4 | DECISION, Outcome::Failed));
        assert_eq!(hub.line().last_answer, Some(Answer { number: 2, outcome: Outcome::Done }));
        hub.disconnect();
        assert!(lost.try_recv().is_err() && hub.decide(&request).is_err());
    }

    #[test]
    fn only_so_many_wait_for_answers_and_those_who_give_up_make_room() {
        let (hub, mut queue) = Hub::new();
        hub.apply(hello(CommandKind::Acknowledge.bit()));
        let ask = |queue: &mut CommandQueue| {
            let asked = hub.ask(Command::Acknowledge);
            while queue.try_recv().is_ok() {}
            asked
        };
        let mut pending: Vec<_> = (0..ASKED).map(|_| ask(&mut queue).unwrap()).collect();
        assert_eq!(ask(&mut queue).unwrap_err(), CommandError::Busy);
        pending.pop();
        assert!(ask(&mut queue).is_ok());
    }
}
