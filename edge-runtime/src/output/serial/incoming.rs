//! Commands → events and answers.

use super::outgoing::Outgoing;
use super::{Handlers, Shared, count};
use crate::input::commands::{Command, Lines, NoCommand, parse};
use crate::input::encoder_count::EncoderCount;
use crate::input::{Event, Happening};
use crate::moment::Moment;

/// What has come of the present line, and the last count of the encoder.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    lines: Lines,
    encoder: EncoderCount,
}

impl Incoming {
    /// Forgets half a line. The encoder's count stands: the belt may have gone on.
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
                    let done = carry_out(command, now, &mut self.encoder, handlers, answers);
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

fn carry_out(
    command: Command<'_>,
    now: Moment,
    encoder: &mut EncoderCount,
    handlers: &mut Handlers,
    answers: &mut Outgoing,
) -> Done {
    let what = match command {
        Command::Trigger => Happening::Trigger,
        Command::Challenge => Happening::Challenge,
        Command::Acknowledge => Happening::Acknowledge,
        Command::Encoder(at) => match encoder.ticks(at) {
            Some(0) => return Done::Yes,
            Some(ticks) => Happening::Encoder { ticks },
            None => return Done::Jump,
        },
        Command::Product(name) => match handlers.products.iter().position(|product| **product == *name) {
            Some(place) => Happening::Product(place),
            None => {
                answers.answer(format!("ERR no product is called {name}"));
                return Done::Refused;
            }
        },
        Command::Status => {
            answers.answer((handlers.status)());
            return Done::Yes;
        }
    };
    (handlers.event)(Event { at: now, what });
    Done::Yes
}
