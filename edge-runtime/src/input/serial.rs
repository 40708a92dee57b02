//! Turns the commands of a peer on the serial port into events and answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared_format::gateway::Outcome;

use super::commands::{Command, CommandError, LineSplitter, parse};
use super::encoder_count::EncoderCount;
use super::{Event, EventKind};
use crate::clock::Moment;
use crate::link::LinkReceiver;

const NO_TRIGGER: &str = "T is accepted only if trigger.kind is serial";
const NO_ENCODER: &str = "E is accepted only with gate.distance_ticks and without gpio.encoder";

/// What commands need from the line. The functions are called on the link's thread and must not block.
pub struct Handlers {
    /// Product names, in the order of the line file, for `P NAME`.
    pub products: Vec<Arc<str>>,
    /// Whether `T` triggers parts.
    pub triggers: bool,
    /// Converts the counts of `E`, if the belt is tracked by them. It is kept while the device is gone: the belt may keep
    /// moving.
    pub encoder: Option<EncoderCount>,
    /// Receives the events, with the time at which each was read.
    pub event: Box<dyn FnMut(Event) + Send>,
    /// Returns the answer to `?`, see [`crate::report::text::status`].
    pub status: Box<dyn FnMut() -> String + Send>,
    /// Called when the device has been opened, before anything is read, and when it is gone.
    pub connected: Box<dyn FnMut(bool) + Send>,
}

/// Counts of the peer's lines.
#[derive(Debug, Default)]
pub struct CommandCounts {
    commands: AtomicU64,
    refused: AtomicU64,
    garbage: AtomicU64,
    encoder_jumps: AtomicU64,
}

impl CommandCounts {
    /// Returns the number of commands that were carried out.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Returns the number of readable lines that were not a valid command, or not one that this line accepts.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a gateway's command.
    pub(super) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Done | Outcome::Begun => &self.commands,
            Outcome::Jump => &self.encoder_jumps,
            Outcome::SwitchedOff
            | Outcome::Refused
            | Outcome::Gone
            | Outcome::Decided
            | Outcome::Busy
            | Outcome::Failed => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of lines that were too long or not text.
    pub fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed)
    }

    /// Returns the number of encoder counts that ran back or jumped: how far the belt moved is unknown.
    pub fn encoder_jumps(&self) -> u64 {
        self.encoder_jumps.load(Ordering::Relaxed)
    }
}

/// The receiving end of the serial port, which takes commands.
pub struct PeerCommands {
    handlers: Handlers,
    lines: LineSplitter,
    counts: Arc<CommandCounts>,
}

impl PeerCommands {
    /// Creates the receiving end, with nothing received yet.
    #[must_use]
    pub fn new(handlers: Handlers) -> Self {
        Self { handlers, lines: LineSplitter::default(), counts: Arc::default() }
    }

    /// Returns the counts, which are updated continuously.
    #[must_use]
    pub fn counts(&self) -> Arc<CommandCounts> {
        Arc::clone(&self.counts)
    }
}

impl LinkReceiver for PeerCommands {
    fn connected(&mut self, on: bool) {
        // A partial line is lost with the connection.
        self.lines.clear();
        (self.handlers.connected)(on);
    }

    fn receive(&mut self, bytes: &[u8], now: Moment, answer: &mut dyn FnMut(String)) {
        let Self { handlers, lines, counts } = self;
        for byte in bytes {
            let Some(line) = lines.push(*byte) else { continue };
            let counter = match line.and_then(parse) {
                Ok(command) => match execute(command, now, handlers, answer) {
                    ExecutionOutcome::Done => &counts.commands,
                    ExecutionOutcome::Refused => &counts.refused,
                    ExecutionOutcome::Jump => &counts.encoder_jumps,
                },
                Err(CommandError::Garbage) => &counts.garbage,
                Err(CommandError::Refused(why)) => {
                    answer(format!("ERR {why}"));
                    &counts.refused
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Outcome of a command.
enum ExecutionOutcome {
    Done,
    Refused,
    /// The encoder's count ran back or jumped.
    Jump,
}

fn execute(
    command: Command<'_>,
    now: Moment,
    handlers: &mut Handlers,
    answer: &mut dyn FnMut(String),
) -> ExecutionOutcome {
    let mut refuse = |why: &str| {
        answer(format!("ERR {why}"));
        ExecutionOutcome::Refused
    };
    let kind = match command {
        Command::Trigger if handlers.triggers => EventKind::Trigger,
        Command::Trigger => return refuse(NO_TRIGGER),
        Command::Challenge => EventKind::Challenge,
        Command::Acknowledge => EventKind::Acknowledge,
        Command::Encoder(count) => match handlers.encoder.as_mut().map(|encoder| encoder.ticks(count, now)) {
            Some(Some(0)) => return ExecutionOutcome::Done,
            Some(Some(ticks)) => EventKind::Encoder { ticks },
            Some(None) => {
                (handlers.event)(Event { at: now, kind: EventKind::EncoderJump });
                return ExecutionOutcome::Jump;
            }
            None => return refuse(NO_ENCODER),
        },
        Command::Product(name) => match handlers.products.iter().position(|product| **product == *name) {
            Some(index) => EventKind::Product(index),
            None => return refuse(&format!("there is no product named {name}")),
        },
        Command::Status => {
            answer((handlers.status)());
            return ExecutionOutcome::Done;
        }
    };
    (handlers.event)(Event { at: now, kind });
    ExecutionOutcome::Done
}
