//! Commands → events and answers.

use super::outgoing::Outgoing;
use super::{Handlers, Shared, count};
use crate::clock::Moment;
use crate::input::commands::{Command, Lines, NoCommand, parse};
use crate::input::{Event, Happening};

const NO_TRIGGER: &str = "T makes parts only if trigger.kind is serial";
const NO_ENCODER: &str = "E counts only with gate.distance_ticks and without gpio.encoder";

/// What has come of the present line.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    lines: Lines,
}

impl Incoming {
    /// Forgets half a line.
    pub(super) const fn restart(&mut self) {
        self.lines.clear();
    }

    /// Takes bytes that were read at `now`.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        now: Moment,
        handlers: &mut Handlers,
        answers: &mut Outgoing,
        shared: &Shared,
    ) {
        for byte in bytes {
            let Some(line) = self.lines.push(*byte) else { continue };
            match line.and_then(parse) {
                Ok(command) => {
                    let done = carry_out(command, now, handlers, answers);
                    count(match done {
                        Done::Yes => &shared.commands,
                        Done::Refused => &shared.refused,
                        Done::Jump => &shared.encoder_jumps,
                    });
                }
                Err(NoCommand::Garbage) => count(&shared.garbage),
                Err(NoCommand::Refused(why)) => {
                    count(&shared.refused);
                    answers.answer(format!("ERR {why}"));
                }
            }
        }
    }
}

/// What came of a command.
enum Done {
    Yes,
    Refused,
    /// The encoder's count ran back or jumped.
    Jump,
}

fn carry_out(command: Command<'_>, now: Moment, handlers: &mut Handlers, answers: &mut Outgoing) -> Done {
    let what = match command {
        Command::Trigger if handlers.triggers => Happening::Trigger,
        Command::Trigger => return refuse(NO_TRIGGER, answers),
        Command::Challenge => Happening::Challenge,
        Command::Acknowledge => Happening::Acknowledge,
        Command::Encoder(count) => match handlers.encoder.as_mut().map(|encoder| encoder.ticks(count, now)) {
            Some(Some(0)) => return Done::Yes,
            Some(Some(ticks)) => Happening::Encoder { ticks },
            Some(None) => {
                (handlers.event)(Event { at: now, what: Happening::EncoderJump });
                return Done::Jump;
            }
            None => return refuse(NO_ENCODER, answers),
        },
        Command::Product(name) => match handlers.products.iter().position(|product| **product == *name) {
            Some(place) => Happening::Product(place),
            None => return refuse(&format!("no product is called {name}"), answers),
        },
        Command::Status => {
            answers.answer((handlers.status)());
            return Done::Yes;
        }
    };
    (handlers.event)(Event { at: now, what });
    Done::Yes
}

fn refuse(why: &str, answers: &mut Outgoing) -> Done {
    answers.answer(format!("ERR {why}"));
    Done::Refused
}
