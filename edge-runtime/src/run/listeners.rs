//! Those who are told what became of each part: the peer on the serial port, and whoever reads standard output.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::gatekeeper::Sink;
use super::mailbox::{Mailbox, Message};
use super::shared::Shared;
use crate::line_file::LineFile;
#[cfg(feature = "serial")]
use crate::output::serial::{Handlers, SerialPeer};
use crate::output::stdout::JsonLines;
use crate::output::text;

/// The listeners of a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    stdout: Option<Arc<JsonLines>>,
    #[cfg(feature = "serial")]
    serial: Option<Arc<SerialPeer>>,
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
        #[cfg(feature = "serial")]
        if let Some(counts) = self.serial.as_ref().map(|serial| serial.counts())
            && !counts.connected
        {
            return vec!["the serial port is not there; connect it".to_owned()];
        }
        vec![]
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
    let (mailbox, shared) = (mailbox.clone(), Arc::clone(shared));
    let handlers = Handlers {
        products: products.to_vec(),
        event: Box::new(move |event| mailbox.send(Message::Event(event))),
        status: Box::new(move || {
            let gate = shared.gate();
            text::status(&gate.counts, &gate.alarms)
        }),
    };
    let peer = SerialPeer::open(serial, handlers);
    Ok(Some(
        peer.context("cannot start the serial port's thread; raise the limits of threads and open files")?,
    ))
}
