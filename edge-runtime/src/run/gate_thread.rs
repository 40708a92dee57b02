//! Starts the gate thread with its inputs and outputs, and stops it.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::error::{ServeError, StartError};
use super::gatekeeper::{Gatekeeper, TriggeredPart};
use super::line_state::LineState;
use super::mailbox::Mailbox;
use super::peer::PeerListener;
use crate::clock::Moment;
use crate::gate::{Gate, GateCounts, GateSettings};
use crate::input;
use crate::input::encoder_watchdog::EncoderWatchdog;
use crate::line_file::LineFile;
use crate::link::Links;
use crate::output::Outputs;
use crate::realtime::{self, Waiter};

/// A handle to the gate thread. Dropping it stops the thread, which leaves the outputs in their safe state.
pub(super) struct GateThread {
    pub(super) mailbox: Mailbox,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

/// What is borrowed to build the gatekeeper.
pub(super) struct GateContext<'l> {
    pub(super) line: &'l LineFile,
    pub(super) links: &'l Links,
    pub(super) shared: &'l Arc<LineState>,
    pub(super) products: &'l [Arc<str>],
    pub(super) views: &'l [Arc<str>],
    pub(super) run: u32,
}

impl GateThread {
    /// Opens the inputs and starts the thread.
    pub(super) fn start(
        context: &GateContext<'_>,
        outputs: Outputs,
        counts: GateCounts,
        triggered_parts: SyncSender<TriggeredPart>,
    ) -> Result<(Self, PeerListener), StartError> {
        let GateContext { line, links, shared, products, views, run } = *context;
        let waiter = Waiter::new().map_err(StartError::Waiter)?;
        let mailbox = Mailbox::new(waiter.waker());
        let mut first_events = vec![];
        let inputs = input::open(line, &mut first_events)?;
        let peer =
            PeerListener::listen(line, links, &mailbox, shared).map_err(|source| StartError::Thread {
                what: "the serial port thread",
                limits: "limits on threads and open files",
                source,
            })?;
        let keeper = Gatekeeper {
            gate: Gate::new(GateSettings::of(line), counts, Moment::now()),
            outputs,
            inputs,
            encoder: EncoderWatchdog::new(line.encoder_silent(), has_belt_input(line)),
            waiter,
            mailbox: mailbox.clone(),
            triggered_parts,
            shared: Arc::clone(shared),
            every: line.trigger.every(),
            products: products.to_vec(),
            views: views.to_vec(),
            selected_by: selections(line),
            run,
            challenge: line.challenge.map_or(0, |challenge| challenge.parts),
        };
        let (grants, granted) = sync_channel(1);
        let serve = move || {
            let _ = grants.send(realtime::request_realtime());
            keeper.serve(first_events)
        };
        let thread = std::thread::Builder::new()
            .name("gate".to_owned())
            .spawn(serve)
            .map_err(StartError::thread("the gate thread"))?;
        // Logged here: the gate thread itself must not wait for the log's reader.
        for grant in granted.recv().into_iter().flatten() {
            if grant.is_granted() { tracing::info!("{grant}") } else { tracing::warn!("{grant}") }
        }
        Ok((Self { mailbox, thread: Some(thread) }, peer))
    }

    /// Whether the thread has stopped unexpectedly.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops the thread, which leaves the outputs in their safe state.
    ///
    /// # Errors
    /// If the thread stopped unexpectedly or the outputs can't be driven.
    pub(super) fn stop(&mut self) -> Result<(), ServeError> {
        self.mailbox.stop();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        match thread.join() {
            Ok(result) => result.map_err(ServeError::Unserved),
            Err(_) => Err(ServeError::Failed),
        }
    }
}

impl Drop for GateThread {
    fn drop(&mut self) {
        // Only reached after another error, which says more.
        let _ = self.stop();
    }
}

fn has_belt_input(line: &LineFile) -> bool {
    line.gpio.as_ref().is_some_and(|gpio| gpio.belt.is_some())
}

/// Maps each number on the product inputs to the index of its product.
fn selections(line: &LineFile) -> Vec<(u8, u16)> {
    (0u16..).zip(&line.products).filter_map(|(index, product)| Some((product.select?, index))).collect()
}
