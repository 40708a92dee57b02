//! Turns the commands of a gateway into events, with the checks that commands on the serial port pass.

use std::sync::Arc;

use shared_format::gateway::{Command, CommandKind, Outcome};

use super::encoder_count::EncoderCount;
use super::serial::CommandCounts;
use super::{Event, EventKind};
use crate::clock::Moment;
use crate::line_file::LineFile;

/// What carries out a gateway's commands. Its calls don't block.
pub struct GatewayCommands {
    accepts: u16,
    products: usize,
    /// Converts the encoder's counts, if the belt is tracked by them. It is kept while the gateway is gone: the belt may keep
    /// moving.
    encoder: Option<EncoderCount>,
    event: Box<dyn FnMut(Event) + Send>,
    counts: Arc<CommandCounts>,
}

impl GatewayCommands {
    /// Creates it for a line; `event` receives the events.
    #[must_use]
    pub fn new(line: &LineFile, event: Box<dyn FnMut(Event) + Send>) -> Self {
        let socket = line.socket.as_ref();
        Self {
            accepts: socket.map_or(0, |socket| socket.accepts()),
            products: line.products.len(),
            encoder: EncoderCount::of_gateway(line),
            event,
            counts: Arc::default(),
        }
    }

    /// Returns the kinds of command that are accepted, one bit each.
    #[must_use]
    pub const fn accepts(&self) -> u16 {
        self.accepts
    }

    /// Returns the counts, which are updated continuously.
    #[must_use]
    pub fn counts(&self) -> Arc<CommandCounts> {
        Arc::clone(&self.counts)
    }

    /// Carries out a command that was read at `now`, if the line file accepts its kind.
    pub fn execute(&mut self, command: Command, now: Moment) -> Outcome {
        let outcome = if self.accepts & command.kind().bit() == 0 {
            Outcome::SwitchedOff
        } else {
            self.execute_accepted(command, now)
        };
        self.counts.count(outcome);
        outcome
    }

    fn execute_accepted(&mut self, command: Command, now: Moment) -> Outcome {
        let kind = match command {
            Command::Trigger { count } => {
                // Only the last one's moment is known: the parts before it were not seen.
                if let Some(parts) = count.checked_sub(1).filter(|parts| *parts > 0) {
                    (self.event)(Event { at: now, kind: EventKind::TriggersLost { parts: parts.into() } });
                }
                EventKind::Trigger
            }
            Command::Encoder { count } => {
                match self.encoder.as_mut().map(|encoder| encoder.ticks(count, now)) {
                    Some(Some(0)) => return Outcome::Done,
                    Some(Some(ticks)) => EventKind::Encoder { ticks },
                    Some(None) => {
                        (self.event)(Event { at: now, kind: EventKind::EncoderJump });
                        return Outcome::Jump;
                    }
                    None => return Outcome::Refused,
                }
            }
            Command::Product { index } if usize::from(index) < self.products => {
                EventKind::Product(index.into())
            }
            Command::Product { .. } => return Outcome::Refused,
            Command::Challenge => EventKind::Challenge,
            Command::Acknowledge => EventKind::Acknowledge,
        };
        (self.event)(Event { at: now, kind });
        Outcome::Done
    }
}

/// Combines kinds of command into one bit each.
pub(crate) fn bits(kinds: &[CommandKind]) -> u16 {
    kinds.iter().fold(0, |bits, kind| bits | kind.bit())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::line_file::TEMPLATE;

    fn commands(accept: &str) -> (GatewayCommands, Receiver<EventKind>) {
        let text = TEMPLATE
            .replace("kind = \"interval\"\nevery_ms = 500", "kind = \"socket\"")
            .replace("delay_ms = 400", "distance_ticks = 1000")
            + &format!("\n[socket]\npath = \"x\"\naccept = [{accept}]");
        let line: LineFile = toml::from_str(&text).unwrap();
        let (sender, events) = channel();
        (GatewayCommands::new(&line, Box::new(move |event| sender.send(event.kind).unwrap())), events)
    }

    const ALL: [Command; 5] = [
        Command::Trigger { count: 1 },
        Command::Encoder { count: 5 },
        Command::Product { index: 0 },
        Command::Challenge,
        Command::Acknowledge,
    ];

    #[test]
    fn each_kind_is_switched_by_itself_and_none_is_on_by_itself() {
        for on in ALL.map(Command::kind) {
            let (mut commands, events) = commands(&format!("{:?}", on.as_str()));
            for command in ALL {
                let outcome = commands.execute(command, Moment(1));
                let expected = if command.kind() == on { Outcome::Done } else { Outcome::SwitchedOff };
                assert_eq!(outcome, expected, "{command:?} with {on:?}");
            }
            // The first count only sets the starting point.
            assert_eq!(events.try_iter().count(), usize::from(on != CommandKind::Encoder), "{on:?}");
            assert_eq!((commands.counts().commands(), commands.counts().refused()), (1, 4));
        }
        let (mut none, events) = commands("");
        assert!(ALL.iter().all(|command| none.execute(*command, Moment(1)) == Outcome::SwitchedOff));
        assert_eq!(events.try_iter().count(), 0);
    }

    #[test]
    fn what_does_not_fit_the_line_is_refused_and_changes_nothing() {
        let (mut commands, events) = commands("\"product\", \"encoder\", \"trigger\"");
        for index in [1, 2, u16::MAX] {
            assert_eq!(commands.execute(Command::Product { index }, Moment(1)), Outcome::Refused);
        }
        assert_eq!(events.try_iter().count(), 0);
        assert_eq!(commands.execute(Command::Encoder { count: 100 }, Moment(1)), Outcome::Done);
        assert_eq!(commands.execute(Command::Encoder { count: 99_999 }, Moment(2)), Outcome::Jump);
        assert_eq!(commands.execute(Command::Trigger { count: 3 }, Moment(3)), Outcome::Done);
        let seen: Vec<_> = events.try_iter().collect();
        let expected = [EventKind::EncoderJump, EventKind::TriggersLost { parts: 2 }, EventKind::Trigger];
        assert_eq!(seen, expected);
        assert_eq!(commands.counts().encoder_jumps(), 1);
    }
}
