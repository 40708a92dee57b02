//! Receives the commands of the serial peer.

use std::sync::Arc;

use super::line_state::LineState;
use super::mailbox::{Blind, Mailbox, Message};
use crate::input::encoder_count::EncoderCount;
use crate::input::serial::{CommandCounts, Handlers, PeerCommands};
use crate::line_file::{LineFile, Trigger};
use crate::link::Links;
use crate::link::serial::SerialLink;
use crate::report::text;

/// The receiver of serial commands, if the line has a serial port.
#[derive(Debug, Clone, Default)]
pub(super) struct PeerListener {
    link: Option<Arc<SerialLink>>,
    counts: Arc<CommandCounts>,
    /// Whether the line depends on it for triggers or the belt's movement.
    is_needed: bool,
}

impl PeerListener {
    /// Starts listening if the line file names a serial port.
    pub(super) fn listen(
        line: &LineFile,
        links: &Links,
        mailbox: &Mailbox,
        shared: &Arc<LineState>,
    ) -> std::io::Result<Self> {
        let Some(link) = links.serial() else { return Ok(Self::default()) };
        let is_needed = line.needs_serial();
        // Until the device is open.
        mailbox.blind(Blind::Serial, is_needed);
        let (events, shared, mailbox) = (mailbox.clone(), Arc::clone(shared), mailbox.clone());
        let commands = PeerCommands::new(Handlers {
            products: line.products.iter().map(|product| product.name.as_str().into()).collect(),
            triggers: matches!(line.trigger, Trigger::Serial { .. }),
            encoder: EncoderCount::of(line),
            event: Box::new(move |event| events.send(Message::Event(event))),
            status: Box::new(move || {
                let gate = shared.gate();
                text::status(&gate.counts, &gate.alarms)
            }),
            connected: Box::new(move |is| mailbox.blind(Blind::Serial, is_needed && !is)),
        });
        let counts = commands.counts();
        link.listen(Box::new(commands))?;
        Ok(Self { link: Some(Arc::clone(link)), counts, is_needed })
    }

    /// Describes what is wrong with its commands, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let refused = self.counts.refused();
        (refused > 0).then(|| format!("{refused} serial commands refused"))
    }

    /// Whether the line depends on the peer and its thread has ended.
    pub(super) fn is_blind(&self) -> bool {
        self.is_needed && self.link.as_ref().is_some_and(|link| link.has_ended())
    }
}
