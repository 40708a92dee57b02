//! Those who are told what became of each part: the peer on the serial port, and whoever reads standard output.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::gatekeeper::Sink;
use super::mailbox::Mailbox;
#[cfg(feature = "serial")]
use super::mailbox::{Blind, Message};
use super::shared::Shared;
use super::side_threads::{SERIAL, STDOUT};
use crate::line_file::LineFile;
#[cfg(feature = "serial")]
use crate::line_file::Trigger;
#[cfg(feature = "serial")]
use crate::link::serial::{Handlers, SerialPeer};
use crate::output::stdout::JsonLines;
#[cfg(feature = "serial")]
use crate::report::text;

/// The listeners of a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    stdout: Option<Arc<JsonLines>>,
    #[cfg(feature = "serial")]
    serial: Option<Arc<SerialPeer>>,
    /// Whether the serial port says when or where parts are.
    needs_serial: bool,
}

impl Listeners {
    /// Starts those that the line file names.
    pub(super) fn start(
        line: &LineFile,
        products: &[Arc<str>],
        mailbox: &Mailbox,
        shared: &Arc<Shared>,
    ) -> Result<Self> {
        let stdout = line.stdout.then(JsonLines::stdout).transpose();
        let stdout =
            stdout.context("cannot start the thread for standard output; raise the limit of threads")?;
        #[cfg(not(feature = "serial"))]
        anyhow::ensure!(line.serial.is_none(), "this build has no serial port; build with --features serial");
        Ok(Self {
            stdout: stdout.map(Arc::new),
            #[cfg(feature = "serial")]
            serial: serial(line, products, mailbox, shared)?.map(Arc::new),
            needs_serial: line.needs_serial(),
        })
    }

    /// What the gatekeeper tells.
    pub(super) fn sinks(&self) -> Vec<Sink> {
        let mut sinks: Vec<Sink> = vec![];
        if let Some(stdout) = self.stdout.clone() {
            sinks.push(Box::new(move |report| stdout.report(report.clone())));
        }
        #[cfg(feature = "serial")]
        if let Some(serial) = self.serial.clone() {
            sinks.push(Box::new(move |report| serial.report(report.clone())));
        }
        sinks
    }

    /// Reports that nobody got.
    pub(super) fn dropped(&self) -> u64 {
        let stdout = self.stdout.as_ref().map_or(0, |stdout| stdout.dropped());
        #[cfg(feature = "serial")]
        let serial = self.serial.as_ref().map_or(0, |serial| serial.counts().dropped);
        #[cfg(not(feature = "serial"))]
        let serial = 0;
        stdout + serial
    }

    /// What is wrong with them, one sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.ended().into_iter().map(str::to_owned).collect();
        #[cfg(feature = "serial")]
        if let Some(counts) = self.serial.as_ref().map(|serial| serial.counts()) {
            if !counts.connected {
                let held = if self.needs_serial { ", and the line is held" } else { "" };
                problems.push(format!("the serial port is not there{held}; connect it"));
            }
            if counts.refused > 0 {
                problems.push(format!("{} serial commands refused", counts.refused));
            }
        }
        problems
    }

    /// Those whose thread has ended by itself, a sentence each.
    pub(super) fn ended(&self) -> Vec<&'static str> {
        let mut ended = vec![];
        if self.stdout.as_ref().is_some_and(|stdout| stdout.has_ended()) {
            ended.push(STDOUT);
        }
        if self.serial_has_ended() {
            ended.push(SERIAL);
        }
        ended
    }

    /// Whether nobody says any more when or where parts are.
    pub(super) fn is_blind(&self) -> bool {
        self.needs_serial && self.serial_has_ended()
    }

    #[cfg(feature = "serial")]
    fn serial_has_ended(&self) -> bool {
        self.serial.as_ref().is_some_and(|serial| serial.has_ended())
    }

    #[cfg(not(feature = "serial"))]
    fn serial_has_ended(&self) -> bool {
        false
    }
}

#[cfg(feature = "serial")]
fn serial(
    line: &LineFile,
    products: &[Arc<str>],
    mailbox: &Mailbox,
    shared: &Arc<Shared>,
) -> Result<Option<SerialPeer>> {
    let Some(serial) = &line.serial else { return Ok(None) };
    let (events, shared) = (mailbox.clone(), Arc::clone(shared));
    let (mailbox, needed) = (mailbox.clone(), line.needs_serial());
    // Until the device is open.
    mailbox.blind(Blind::Serial, needed);
    let handlers = Handlers {
        products: products.to_vec(),
        triggers: matches!(line.trigger, Trigger::Serial { .. }),
        encoder: line.encoder_count(),
        event: Box::new(move |event| events.send(Message::Event(event))),
        status: Box::new(move || {
            let gate = shared.gate();
            text::status(&gate.counts, &gate.alarms)
        }),
        connected: Box::new(move |is| mailbox.blind(Blind::Serial, needed && !is)),
    };
    let peer = SerialPeer::open(serial, handlers);
    Ok(Some(
        peer.context("cannot start the serial port's thread; raise the limits of threads and open files")?,
    ))
}
